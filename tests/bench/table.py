"""Tables of figures: a column is its heading, the figure's name and its format."""


class Table:
    def __init__(self, title, columns):
        self.columns = columns
        print(f"\n{title}\n" + "".join(f"{heading:>12}" for heading, _, _ in columns), flush=True)

    def row(self, figures):
        print("".join(f"{layout.format(figures[name]) if name in figures else '-':>12}"
                      for _, name, layout in self.columns), flush=True)
