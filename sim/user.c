#include "participant/user/v1/user.pb-c.h"
#include "sim/world.h"

#define PB(name) Participant__User__V1__##name

static const struct store_column columns[] = {
    STORE_COL_TEXT(sim_user_row, user_id),  STORE_COL_TEXT(sim_user_row, name),  STORE_COL_TEXT(sim_user_row, card_no),
    STORE_COL_TEXT(sim_user_row, plate_no), STORE_COL_I32(sim_user_row, frozen),
};

const struct store_table sim_users_table = {
    .name = "sim_user",
    .row_size = sizeof(struct sim_user_row),
    .columns = columns,
    .n_columns = STORE_COUNT(columns),
    .n_key = 1,
    .since = 1,
};

static void get_user(struct sim_call *call) {
    const PB(GetUserRequest) *request = (const void *)call->request;
    const struct sim_user_row *row = sim_find(call->system, SIM_USERS, request->user_id);
    if (!row) {
        sim_reject(call, "NOT_FOUND", "there is no user %s", request->user_id);
        return;
    }
    PB(User) user = PARTICIPANT__USER__V1__USER__INIT;
    user.user_id = rpc_text(row->user_id);
    user.status = row->frozen ? PARTICIPANT__USER__V1__USER_STATUS__USER_STATUS_FROZEN
                              : PARTICIPANT__USER__V1__USER_STATUS__USER_STATUS_ACTIVE;
    user.name = rpc_text(row->name);
    user.card_no = rpc_text(row->card_no);
    user.plate_no = rpc_text(row->plate_no);
    PB(GetUserResponse) response = PARTICIPANT__USER__V1__GET_USER_RESPONSE__INIT;
    response.user = &user;
    sim_answer(call, &response.base);
}

static const struct sim_method methods[] = {
    {.name = "GetUser", .op = SIM_READ, .apply = get_user},
};

static const struct sim_set_def sets[] = {
    [SIM_USERS] = {.table = &sim_users_table},
};

const struct sim_system_def sim_user_def = {
    .name = "user",
    .service = &participant__user__v1__user_service__descriptor,
    .methods = methods,
    .n_methods = STORE_COUNT(methods),
    .sets = sets,
    .n_sets = STORE_COUNT(sets),
};
