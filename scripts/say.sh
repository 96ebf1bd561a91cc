# How our shell scripts speak. Sourced, never run.
# shellcheck shell=bash

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
else
  bold='' dim='' red='' green='' plain=''
fi

# say TEXT: one line that tells what happens now.
say() {
  printf '%s\n' "${bold}==${plain} $*"
}

# die TEXT [CODE]: what went wrong, and out.
die() {
  printf '%s\n' "${red}${0##*/}: $1${plain}" >&2
  exit "${2:-1}"
}

# usage: prints the comment at the top of the calling script, as its help.
usage() {
  sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//p;}' "$0"
}

# seconds_since START: START is a value of EPOCHREALTIME; prints as 12.3.
seconds_since() {
  local tenths=$(((${EPOCHREALTIME/[.,]/} - ${1/[.,]/}) / 100000))
  printf '%d.%d' $((tenths / 10)) $((tenths % 10))
}

# part NAME COMMAND…: runs it between a line that names it and a line that says how it ended and how long it took.
part() {
  local name=$1 start=$EPOCHREALTIME code=0
  shift
  say "$name"
  "$@" || code=$?
  if [ "$code" -eq 0 ]; then
    printf '%s\n' "${green}ok${plain} $name ${dim}$(seconds_since "$start") s${plain}"
  else
    printf '%s\n' "${red}failed${plain} $name ${dim}$(seconds_since "$start") s${plain}"
  fi
  return "$code"
}

# How many things to do at once.
export TXC_JOBS=${TXC_JOBS:-$(nproc)}
