#include "adapters/goods/goods.h"

#define SERVICE participant__goods__v1__goods_service__descriptor

const struct adapter_method goods_get_method = ADAPTER_METHOD(SERVICE, "GetGoods", READ);
const struct adapter_method goods_reserve_method = ADAPTER_METHOD(SERVICE, "ReserveStock", ACTION);
const struct adapter_method goods_release_method = ADAPTER_METHOD(SERVICE, "ReleaseStock", COMPENSATE);
const struct adapter_method goods_deduct_method = ADAPTER_METHOD(SERVICE, "DeductStock", ACTION);
const struct adapter_method goods_return_method = ADAPTER_METHOD(SERVICE, "ReturnStock", ACTION);
const struct adapter_method goods_inquire_method = ADAPTER_METHOD(SERVICE, "Inquire", INQUIRE);
