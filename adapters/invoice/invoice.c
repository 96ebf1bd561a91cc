#include "adapters/invoice/invoice.h"

#define SERVICE participant__invoice__v1__invoice_service__descriptor

const struct adapter_method invoice_issue_method = ADAPTER_METHOD(SERVICE, "IssueInvoice", ACTION, "invoice_no");
const struct adapter_method invoice_void_method = ADAPTER_METHOD(SERVICE, "VoidInvoice", COMPENSATE);
const struct adapter_method invoice_issue_red_method = ADAPTER_METHOD(SERVICE, "IssueRedInvoice", ACTION, "invoice_no");
const struct adapter_method invoice_inquire_method = ADAPTER_METHOD(SERVICE, "Inquire", INQUIRE);
