// The invoice system: proto/participant/invoice/v1.
#ifndef TXC_ADAPTERS_INVOICE_H
#define TXC_ADAPTERS_INVOICE_H

#include "adapters/adapter.h"
#include "participant/invoice/v1/invoice.pb-c.h"

ADAPTER_FUNCTION(invoice_issue, Participant__Invoice__V1__IssueInvoiceRequest)
ADAPTER_FUNCTION(invoice_void, Participant__Invoice__V1__VoidInvoiceRequest)
ADAPTER_FUNCTION(invoice_issue_red, Participant__Invoice__V1__IssueRedInvoiceRequest)
extern const struct adapter_method invoice_inquire_method;

#endif
