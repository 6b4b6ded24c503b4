/* SPDX-License-Identifier: Apache-2.0 */
/* What an ICMP error means. */
#ifndef FLOW_ICMP_H
#define FLOW_ICMP_H

#include <stdbool.h>
#include <stdint.h>

bool flow_icmp_is_denial(bool is_icmp6, uint8_t type, uint8_t code);      /* the packet was not delivered, for good */
bool flow_icmp_is_port(bool is_icmp6, uint8_t type, uint8_t code);        /* nobody listens on the port */
bool flow_icmp_is_prohibition(bool is_icmp6, uint8_t type, uint8_t code); /* administratively prohibited */

#endif
