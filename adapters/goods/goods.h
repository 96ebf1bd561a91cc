// The goods system: non-fuel goods, other paid items and their stock: proto/participant/goods/v1.
#ifndef TXC_ADAPTERS_GOODS_H
#define TXC_ADAPTERS_GOODS_H

#include "adapters/adapter.h"
#include "participant/goods/v1/goods.pb-c.h"

ADAPTER_FUNCTION(goods_get, Participant__Goods__V1__GetGoodsRequest)
ADAPTER_FUNCTION(goods_reserve, Participant__Goods__V1__ReserveStockRequest)
ADAPTER_FUNCTION(goods_release, Participant__Goods__V1__ReleaseStockRequest)
ADAPTER_FUNCTION(goods_deduct, Participant__Goods__V1__DeductStockRequest)
ADAPTER_FUNCTION(goods_return, Participant__Goods__V1__ReturnStockRequest)
extern const struct adapter_method goods_inquire_method;

#endif
