/* SPDX-License-Identifier: Apache-2.0 */
/* Expected flows: from what was seen to the outcome of each row and pair, and the reason in words. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "policy_bed.h"

#define SECOND INT64_C(1000000000)
#define START (INT64_C(1772442000) * SECOND)
#define HOUR (3600 * SECOND)

#define HOSTS                                                                 \
    "site: s\n"                                                               \
    "hosts:\n"                                                                \
    "  unity1: {addresses: [10.0.1.1], roles: [unity-primary]}\n"             \
    "  dc1:    {addresses: [10.0.2.1], roles: [dc-monitored]}\n"              \
    "  dc2:    {addresses: [10.0.2.2], roles: [dc-monitored]}\n"              \
    "  ex1:    {addresses: [10.0.3.1], roles: [exchange-partner]}\n"          \
    "  farm:   {addresses: [10.0.30.0/28], roles: [exchange-mailbox]}\n"      \
    "  phones: {addresses: [10.0.9.0/24], roles: [phone]}\n"                  \
    "  ucm1:   {addresses: [10.0.4.1], roles: [ucm]}\n"

struct seen {
    const char  *client, *server, *service;
    enum outcome outcome;
    uint64_t     flows;
    int64_t      at_s;     /* after the start */
    const char  *protocol; /* or NULL */
    uint16_t     client_port; /* 0: 50000 */
    bool         both;
};

enum { DEAD = 1, DEAF = 2, SHORT = 4, LOST = 8, DAMAGED = 16, UNSEEN = 32, FILTERED = 64, UNSEEN_FEW = 128, JUST_SHORT = 256, GROUPS = 512, BRIEF = 1024, CUT = 2048, CUT_TO_OTHERS = 4096, QUOTED = 8192 };

struct scenario {
    const char              *name;
    struct seen              seen[4];
    unsigned                 ground; /* what silence rests on */
    const char              *more;   /* of the site */
    const char              *row, *client;
    const char              *every;  /* the server of the expectation asked for, with 'every'; else NULL */
    enum expectation_outcome outcome;
    uint64_t                 attempts;
    const char              *server; /* "" for none */
    const char              *reason; /* or NULL */
};

#define FACT(client, server, service, outcome, flows, at, protocol, port, both) \
    {client, server, service, outcome, flows, at, protocol, port, both}
#define SEEN(client, server, service, outcome, flows, at) FACT(client, server, service, outcome, flows, at, NULL, 0, false)

#define U "10.0.1.1"
#define D1 "10.0.2.1"
#define D2 "10.0.2.2"
#define NETBIOS "unity-dc-netbios", "unity1", NULL
#define LDAP "unity-dc-ldap", "unity1", NULL
#define SECTION "\"Network Traffic from Cisco Unity to a Domain Controller\""
#define REQUIRED "The document requires this flow (row unity-dc-ldap, " SECTION ")."
#define LOOK                                                                                                                              \
    " Look at whether unity1 is set up to use it, and, as no TCP or UDP packet between these hosts is in the capture in that time, at whether such " \
    "packets pass the point of capture; where it need not be seen, say so in the site file."
#define TWO_OF "  two: {addresses: [10.0.5.1, 10.0.5.2], roles: [unity-primary]}\n" /* goes on with the hosts */
#define DUAL \
    "  dual: {addresses: [10.0.5.9, 'fd00::9'], roles: [dc-monitored]}\n" \
    "  u6: {addresses: ['fd00::1'], roles: [unity-primary]}\n"
#define EVERY "expect: {unity-dc-ldap: {servers: every}}\n"

static const struct scenario scenarios[] = {
    {"met by one of its ports", {SEEN(U, D1, "tcp/445", OUTCOME_ESTABLISHED, 2, 5)}, 0, NULL, NETBIOS, EXPECT_SEEN, 2, "dc1",
     "Of the ports of row unity-dc-netbios (NetBIOS, " SECTION "), UDP 137, UDP 138, TCP 139, TCP 445, unity1 (10.0.1.1) used TCP 445 of dc1 (10.0.2.1)."},
    {"met over the other family than the server is told with", {SEEN("fd00::1", "fd00::9", "tcp/389", OUTCOME_ESTABLISHED, 1, 5)}, 0, DUAL, "unity-dc-ldap", "u6", NULL,
     EXPECT_SEEN, 1, "dual", "Of the ports of row unity-dc-ldap (LDAP, " SECTION "), TCP and UDP 389, u6 (fd00::1) used TCP 389 of dual (10.0.5.9, fd00::9), over IPv6."},
    {"met by another of its ports", {SEEN(U, D1, "udp/137", OUTCOME_ESTABLISHED, 1, 5)}, 0, NULL, NETBIOS, EXPECT_SEEN, 1, "dc1", NULL},
    {"met by a third", {SEEN(U, D1, "tcp/139", OUTCOME_ESTABLISHED, 1, 5)}, 0, NULL, NETBIOS, EXPECT_SEEN, 1, "dc1", NULL},
    {"a datagram that nobody answers meets it where none is to be expected", {SEEN(U, D1, "udp/138", OUTCOME_ONE_WAY, 1, 5)}, 0, NULL, NETBIOS,
     EXPECT_SEEN, 1, "dc1", NULL},
    {"and not where an answer is", {SEEN(U, D1, "udp/137", OUTCOME_ONE_WAY, 1, 5)}, 0, NULL, NETBIOS, EXPECT_ONE_WAY, 1, "dc1",
     "unity1 (10.0.1.1) tried NetBIOS on UDP 137 (of UDP 137, UDP 138, TCP 139, TCP 445) to dc1 (10.0.2.1) in 1 flow: only one direction was captured, so whether it worked cannot be told. The "
     "document requires this flow (row unity-dc-netbios, " SECTION "). Look at where the capture was taken."},
    {"one port refused, another works", {SEEN(U, D1, "udp/137", OUTCOME_REFUSED, 9, 1), SEEN(U, D1, "tcp/445", OUTCOME_ESTABLISHED, 1, 5)}, 0, NULL, NETBIOS,
     EXPECT_SEEN, 10, "dc1", NULL},
    {"datagrams from a port to the same port, both ways", {FACT(D1, U, "udp/138", OUTCOME_ESTABLISHED, 1, 5, NULL, 138, true)}, 0, NULL, NETBIOS,
     EXPECT_SEEN, 1, "dc1", NULL},
    {"another server does", {SEEN(U, D1, "tcp/389", OUTCOME_UNANSWERED, 3, 1), SEEN(U, D2, "tcp/389", OUTCOME_ESTABLISHED, 1, 5)}, 0, NULL, LDAP, EXPECT_SEEN,
     4, "dc2", NULL},
    {"content contradicts: no attempt", {FACT(U, D1, "tcp/389", OUTCOME_ESTABLISHED, 1, 5, "SSH", 0, false)}, 0, NULL, LDAP, EXPECT_NEVER_ATTEMPTED, 0, "",
     "unity1 (10.0.1.1) was not seen to try LDAP (TCP and UDP 389) to dc1 (10.0.2.1) or dc2 (10.0.2.2) in the 7200 s of its presence, though it sent 500 TCP and UDP packets "
     "and no loss is known. " REQUIRED " What it had with dc1 (10.0.2.1) on TCP 389 is SSH by its content, which is a finding of its own (wrong-protocol). Look at what uses "
     "that port; where it need not be seen, say so in the site file."},
    {"the other direction is no attempt", {SEEN(D1, U, "tcp/389", OUTCOME_ESTABLISHED, 1, 5)}, 0, NULL, LDAP, EXPECT_NEVER_ATTEMPTED, 0, "", NULL},
    {"refused", {SEEN(U, D1, "tcp/389", OUTCOME_REFUSED, 1, 1)}, 0, NULL, LDAP, EXPECT_REFUSED, 1, "dc1",
     "unity1 (10.0.1.1) tried LDAP on TCP 389 (of TCP and UDP 389) to dc1 (10.0.2.1) in 1 flow: refused by a RST with the server's address. " REQUIRED " Look at whether the service runs there."},
    {"unanswered by both", {SEEN(U, D1, "tcp/389", OUTCOME_UNANSWERED, 3, 7), SEEN(U, D2, "udp/389", OUTCOME_UNANSWERED, 1, 5)}, 0, NULL, LDAP,
     EXPECT_UNANSWERED, 4, "dc2", "unity1 (10.0.1.1) tried LDAP (TCP and UDP 389) to dc1 (10.0.2.1) or dc2 (10.0.2.2) in 4 flows: no answer was seen. " REQUIRED " Look at whether the server is up, and at what drops packets on the way."},
    {"refused on some ports of many",
     {SEEN(U, D1, "tcp/5009", OUTCOME_REFUSED, 1, 1), SEEN(U, D1, "tcp/5001", OUTCOME_REFUSED, 1, 1), SEEN(U, D1, "tcp/5000", OUTCOME_REFUSED, 1, 1), SEEN(U, D1, "udp/5000", OUTCOME_REFUSED, 1, 1)}, 0,
     NULL, "unity-dc-dcom", "unity1", NULL, EXPECT_REFUSED, 4, "dc1",
     "unity1 (10.0.1.1) tried DCOM RPC range after restriction on TCP 5000-5001, TCP 5009 and UDP 5000 (of TCP and UDP 5000-5020) to dc1 (10.0.2.1) in 4 flows: refused by a RST with the server's "
     "address. The document requires this flow (row unity-dc-dcom, " SECTION "). Look at whether the service runs there."},
    {"prohibited", {SEEN(U, D1, "tcp/389", OUTCOME_PROHIBITED, 2, 5)}, 0, NULL, LDAP, EXPECT_PROHIBITED, 2, "dc1",
     "unity1 (10.0.1.1) tried LDAP on TCP 389 (of TCP and UDP 389) to dc1 (10.0.2.1) in 2 flows: refused by a RST that is not like the server's packets. " REQUIRED
     " Look for what answers in the server's name on the way."},
    {"prohibited outweighs unanswered", {SEEN(U, D1, "tcp/389", OUTCOME_UNANSWERED, 9, 5), SEEN(U, D1, "udp/389", OUTCOME_PROHIBITED, 1, 5)}, 0, NULL, LDAP,
     EXPECT_PROHIBITED, 10, "dc1", NULL},
    {"refused outweighs unanswered", {SEEN(U, D1, "tcp/389", OUTCOME_UNANSWERED, 9, 5), SEEN(U, D1, "udp/389", OUTCOME_REFUSED, 1, 5)}, 0, NULL, LDAP,
     EXPECT_REFUSED, 10, "dc1", NULL},
    {"from another of its addresses", {SEEN("10.0.5.2", D1, "tcp/389", OUTCOME_UNANSWERED, 1, 5)}, 0, TWO_OF, "unity-dc-ldap", "two", NULL, EXPECT_UNANSWERED, 1, "dc1",
     "two (10.0.5.2) tried LDAP on TCP 389 (of TCP and UDP 389) to dc1 (10.0.2.1) in 1 flow: no answer was seen. " REQUIRED " Look at whether the server is up, and at what drops packets "
     "on the way."},
    {"from both of its addresses", {SEEN("10.0.5.2", D1, "tcp/389", OUTCOME_UNANSWERED, 1, 5), SEEN("10.0.5.1", D1, "udp/389", OUTCOME_UNANSWERED, 1, 6)}, 0, TWO_OF,
     "unity-dc-ldap", "two", NULL, EXPECT_UNANSWERED, 2, "dc1",
     "two (10.0.5.1 and 10.0.5.2) tried LDAP (TCP and UDP 389) to dc1 (10.0.2.1) in 2 flows: no answer was seen. " REQUIRED " Look at whether the server is up, and at what drops "
     "packets on the way."},
    {"answered on one of its addresses", {SEEN("10.0.5.1", D1, "tcp/389", OUTCOME_UNANSWERED, 1, 5), SEEN("10.0.5.2", D1, "udp/389", OUTCOME_ESTABLISHED, 1, 6)}, 0, TWO_OF,
     "unity-dc-ldap", "two", NULL, EXPECT_SEEN, 2, "dc1",
     "Of the ports of row unity-dc-ldap (LDAP, " SECTION "), TCP and UDP 389, two (10.0.5.2) used UDP 389 of dc1 (10.0.2.1)."},
    {"an answer may be in what was cut", {SEEN(U, D1, "tcp/389", OUTCOME_UNANSWERED, 2, 5)}, CUT, NULL, LDAP, EXPECT_NOT_COVERED, 2, "dc1",
     "unity1 (10.0.1.1) tried LDAP on TCP 389 (of TCP and UDP 389) to dc1 (10.0.2.1) (row unity-dc-ldap, " SECTION "), and no answer was seen, which proves nothing: 3 packets were cut "
     "before the ports (of an ICMP error: those that it quotes), which may have been an answer."},
    {"what was cut went to others", {SEEN(U, D1, "tcp/389", OUTCOME_UNANSWERED, 2, 5)}, CUT_TO_OTHERS, NULL, LDAP, EXPECT_UNANSWERED, 2, "dc1", NULL},
    {"what was cut takes no failure away", {SEEN(U, D1, "tcp/389", OUTCOME_REFUSED, 1, 1)}, CUT, NULL, LDAP, EXPECT_REFUSED, 1, "dc1", NULL},
    {"a failure needs no ground: it was seen", {SEEN(U, D1, "tcp/389", OUTCOME_REFUSED, 1, 1)}, SHORT | LOST | DAMAGED, NULL, LDAP, EXPECT_REFUSED, 1, "dc1",
     NULL},
    {"seen needs no ground either", {SEEN(U, D1, "tcp/389", OUTCOME_ESTABLISHED, 1, 1)}, SHORT | LOST, NULL, LDAP, EXPECT_SEEN, 1, "dc1", NULL},
    {"refused, while it answers another", {SEEN(U, D1, "tcp/389", OUTCOME_REFUSED, 2, 5), SEEN("10.0.3.1", D1, "tcp/389", OUTCOME_ESTABLISHED, 7, 1)}, 0, NULL, LDAP,
     EXPECT_REFUSED, 2, "dc1", "unity1 (10.0.1.1) tried LDAP on TCP 389 (of TCP and UDP 389) to dc1 (10.0.2.1) in 2 flows: refused by a RST with the server's address, while dc1 (10.0.2.1) "
     "answered ex1 (10.0.3.1) on TCP 389 7 times. " REQUIRED " Look at what refuses unity1 there: an access list on dc1, or a filter on the way."},
    {"unanswered, while it answers a stranger", {SEEN(U, D1, "tcp/389", OUTCOME_UNANSWERED, 2, 5), SEEN("192.0.2.1", D1, "tcp/389", OUTCOME_ESTABLISHED, 1, 1)}, 0, NULL,
     LDAP, EXPECT_UNANSWERED, 2, "dc1", "unity1 (10.0.1.1) tried LDAP on TCP 389 (of TCP and UDP 389) to dc1 (10.0.2.1) in 2 flows: no answer was seen, while dc1 (10.0.2.1) answered "
     "a host that the site file does not name on TCP 389. " REQUIRED " Look at what drops packets between unity1 and dc1: an access list on dc1, or a filter on the way."},
    {"refused, while it answers another on another port", {SEEN(U, D1, "tcp/389", OUTCOME_REFUSED, 1, 5), SEEN("10.0.3.1", D1, "tcp/445", OUTCOME_ESTABLISHED, 7, 1)}, 0, NULL,
     LDAP, EXPECT_REFUSED, 1, "dc1", "unity1 (10.0.1.1) tried LDAP on TCP 389 (of TCP and UDP 389) to dc1 (10.0.2.1) in 1 flow: refused by a RST with the server's address. " REQUIRED
     " Look at whether the service runs there."},
    {"refused, of several", {SEEN(U, D1, "tcp/389", OUTCOME_REFUSED, 1, 5), SEEN(U, D1, "udp/389", OUTCOME_UNANSWERED, 3, 1)}, 0, NULL, LDAP, EXPECT_REFUSED, 4, "dc1",
     "unity1 (10.0.1.1) tried LDAP (TCP and UDP 389) to dc1 (10.0.2.1) in 4 flows; 1 of them: refused by a RST with the server's address; 3 of them: no answer was seen. " REQUIRED
     " Look at whether the service runs there."},
    {"met by ports of two servers", {SEEN(U, D1, "tcp/389", OUTCOME_ESTABLISHED, 1, 5), SEEN(U, D2, "udp/389", OUTCOME_ESTABLISHED, 1, 1), SEEN(U, D1, "udp/389", OUTCOME_REFUSED, 1, 1)}, 0,
     NULL, LDAP, EXPECT_SEEN, 3, "dc2", "Of the ports of row unity-dc-ldap (LDAP, " SECTION "), TCP and UDP 389, unity1 (10.0.1.1) used TCP 389 of dc1 (10.0.2.1); UDP 389 of "
     "dc2 (10.0.2.2)."},
    {"on another port", {FACT(U, D1, "tcp/49157", OUTCOME_ESTABLISHED, 1, 5, "DCE_RPC", 0, true)}, 0, NULL, "unity-dc-dcom", "unity1", NULL, EXPECT_NEVER_ATTEMPTED, 0, "",
     "unity1 (10.0.1.1) was not seen to try DCOM RPC range after restriction (TCP and UDP 5000-5020) to dc1 (10.0.2.1) or dc2 (10.0.2.2) in the 7200 s of its presence, though "
     "it sent 500 TCP and UDP packets and no loss is known. The document requires this flow (row unity-dc-dcom, " SECTION "). It used DCE_RPC of dc1 (10.0.2.1) on TCP 49157 instead, which is "
     "a finding of its own (wrong-port). Look at the ports, TCP or UDP, that dc1 is set to use, and, as no TCP or UDP packet between these hosts is in the capture in that time, at "
     "whether such packets pass the point of capture; where it need not be seen, say so in the site file."},
    {"broadcasts alone", {{0}}, GROUPS, NULL, LDAP, EXPECT_NEVER_ATTEMPTED, 0, "",
     "unity1 (10.0.1.1) was not seen to try LDAP (TCP and UDP 389) to dc1 (10.0.2.1) or dc2 (10.0.2.2) in the 7200 s of its presence, though it sent 500 TCP and UDP packets, all of them "
     "broadcasts or multicasts, and no loss is known. " REQUIRED " Look at whether unity1 is set up to use it, and at whether what it sends to single hosts passes the point of "
     "capture, for broadcasts are heard where that is not; where it need not be seen, say so in the site file."},
    /* Silence. */
    {"never attempted", {{0}}, 0, NULL, LDAP, EXPECT_NEVER_ATTEMPTED, 0, "",
     "unity1 (10.0.1.1) was not seen to try LDAP (TCP and UDP 389) to dc1 (10.0.2.1) or dc2 (10.0.2.2) in the 7200 s of its presence, though it sent 500 TCP and UDP packets and no loss is known. " REQUIRED LOOK},
    {"the client was never seen", {{0}}, DEAD, NULL, LDAP, EXPECT_NOT_COVERED, 0, "",
     "No LDAP (TCP and UDP 389) from unity1 (10.0.1.1) to dc1 (10.0.2.1) or dc2 (10.0.2.2) was seen (row "
     "unity-dc-ldap, " SECTION "), which proves nothing: no TCP or UDP packet of unity1 was seen."},
    {"what is said of a host is so of all its addresses", {{0}}, 0, TWO_OF, "unity-dc-ldap", "two", NULL, EXPECT_NOT_COVERED, 0, "",
     "No LDAP (TCP and UDP 389) from two (10.0.5.1, 10.0.5.2) to dc1 (10.0.2.1) or dc2 (10.0.2.2) was seen (row unity-dc-ldap, " SECTION "), which proves nothing: no TCP or UDP packet of "
     "two was seen."},
    {"the client only received", {{0}}, DEAF, NULL, LDAP, EXPECT_NOT_COVERED, 0, "",
     "No LDAP (TCP and UDP 389) from unity1 (10.0.1.1) to dc1 (10.0.2.1) or dc2 (10.0.2.2) was seen (row "
     "unity-dc-ldap, " SECTION "), which proves nothing: TCP or UDP packets to unity1 were captured and none from it, so its attempts could "
     "not have been seen."},
    {"too short", {{0}}, SHORT, NULL, LDAP, EXPECT_NOT_COVERED, 0, "",
     "No LDAP (TCP and UDP 389) from unity1 (10.0.1.1) to dc1 (10.0.2.1) or dc2 (10.0.2.2) was seen (row "
     "unity-dc-ldap, " SECTION "), which proves nothing: the observation lasts 600 s, and the flow has 3600 s to happen."},
    {"too short by a nanosecond", {{0}}, JUST_SHORT, NULL, LDAP, EXPECT_NOT_COVERED, 0, "",
     "No LDAP (TCP and UDP 389) from unity1 (10.0.1.1) to dc1 (10.0.2.1) or dc2 (10.0.2.2) was seen (row "
     "unity-dc-ldap, " SECTION "), which proves nothing: the observation lasts 3599 s, and the flow has 3600 s to happen."},
    {"the client for too short", {{0}}, BRIEF, NULL, LDAP, EXPECT_NOT_COVERED, 0, "",
     "No LDAP (TCP and UDP 389) from unity1 (10.0.1.1) to dc1 (10.0.2.1) or dc2 (10.0.2.2) was seen (row "
     "unity-dc-ldap, " SECTION "), which proves nothing: TCP and UDP packets of unity1 were seen for 1 s, and the flow has 3600 s to happen."},
    {"packets lost", {{0}}, LOST, NULL, LDAP, EXPECT_NOT_COVERED, 0, "",
     "No LDAP (TCP and UDP 389) from unity1 (10.0.1.1) to dc1 (10.0.2.1) or dc2 (10.0.2.2) was seen (row "
     "unity-dc-ldap, " SECTION "), which proves nothing: 1 packet is known to be lost."},
    {"a filter", {{0}}, FILTERED, NULL, LDAP, EXPECT_NOT_COVERED, 0, "",
     "No LDAP (TCP and UDP 389) from unity1 (10.0.1.1) to dc1 (10.0.2.1) or dc2 (10.0.2.2) was seen (row "
     "unity-dc-ldap, " SECTION "), which proves nothing: the filter took 7 packets out."},
    {"damaged", {{0}}, DAMAGED, NULL, LDAP, EXPECT_NOT_COVERED, 0, "",
     "No LDAP (TCP and UDP 389) from unity1 (10.0.1.1) to dc1 (10.0.2.1) or dc2 (10.0.2.2) was seen (row "
     "unity-dc-ldap, " SECTION "), which proves nothing: an input could not be read to its end."},
    {"bytes that passed unseen", {{0}}, UNSEEN, NULL, LDAP, EXPECT_NOT_COVERED, 0, "",
     "No LDAP (TCP and UDP 389) from unity1 (10.0.1.1) to dc1 (10.0.2.1) or dc2 (10.0.2.2) was seen (row "
     "unity-dc-ldap, " SECTION "), which proves nothing: acknowledgements show that 1001 bytes of TCP data (an end of a connection counted as one) passed which were not captured."},
    {"errors about what was not captured", {{0}}, QUOTED, NULL, LDAP, EXPECT_NOT_COVERED, 0, "",
     "No LDAP (TCP and UDP 389) from unity1 (10.0.1.1) to dc1 (10.0.2.1) or dc2 (10.0.2.2) was seen (row "
     "unity-dc-ldap, " SECTION "), which proves nothing: 15 ICMP errors quote packets from or to unity1 that are not in the capture before them."},
    {"few bytes that passed unseen", {{0}}, UNSEEN_FEW, NULL, LDAP, EXPECT_NEVER_ATTEMPTED, 0, "", NULL},
    /* What the site says. */
    {"within for the site", {{0}}, 0, "within: 3h\n", LDAP, EXPECT_NOT_COVERED, 0, "", NULL},
    {"within for the row", {{0}}, SHORT, "expect: {unity-dc-ldap: {within: 10m}}\n", LDAP, EXPECT_NEVER_ATTEMPTED, 0, "", NULL},
    {"within for another row", {{0}}, SHORT, "expect: {unity-dc-ntp: {within: 10m}}\n", LDAP, EXPECT_NOT_COVERED, 0, "", NULL},
    {"required by the site", {{0}}, 0, "expect: {unity-dc-ldaps: required}\n", "unity-dc-ldaps", "unity1", NULL, EXPECT_NEVER_ATTEMPTED, 0, "", NULL},
    {"every server: the one that is not tried", {SEEN(U, D1, "tcp/389", OUTCOME_ESTABLISHED, 1, 5)}, 0, EVERY, "unity-dc-ldap", "unity1", "dc2",
     EXPECT_NEVER_ATTEMPTED, 0, "dc2",
     "unity1 (10.0.1.1) was not seen to try LDAP (TCP and UDP 389) to dc2 (10.0.2.2) in the 7200 s of its presence, though it sent 500 TCP and UDP packets and no loss is known. " REQUIRED LOOK},
    {"every server: the one that is", {SEEN(U, D1, "tcp/389", OUTCOME_ESTABLISHED, 1, 5)}, 0, EVERY, "unity-dc-ldap", "unity1", "dc1", EXPECT_SEEN, 1, "dc1",
     NULL},
    /* Hosts that are networks; rows between hosts of the same kind. */
    {"a client that is a network", {SEEN("10.0.30.3", D2, "udp/123", OUTCOME_ESTABLISHED, 1, 5)}, 0, NULL, "exchange-dc-ntp", "farm", NULL, EXPECT_SEEN, 1,
     "dc2", "Of the ports of row exchange-dc-ntp (NTP, \"Network Traffic from Exchange to a Domain Controller\"), UDP 123, farm (10.0.30.0/28) "
      "used UDP 123 of dc2 (10.0.2.2)."},
    {"another server of its own network is none for it", {SEEN("10.0.30.3", "10.0.30.4", "tcp/691", OUTCOME_REFUSED, 1, 5)}, 0, NULL,
     "exchange-exchange-routing", "ex1", NULL, EXPECT_NEVER_ATTEMPTED, 0, "", NULL},
    {"media that the site requires, the other way of a call",
     {FACT("10.0.9.7", U, "udp/23000", OUTCOME_ESTABLISHED, 1, 5, "RTP", 24000, true)}, 0, "expect: {unity-phone-rtp: required}\n", "unity-phone-rtp",
     "unity1", NULL, EXPECT_SEEN, 1, "phones", NULL},
};

static struct expect_fact fact_of(const struct seen *s)
{
    struct expect_fact f = {.query = policy_bed_query(s->client, s->server, s->service), .outcome = s->outcome, .flows = s->flows,
                            .first_ns = START + s->at_s * SECOND};

    if (s->client_port != 0)
        f.query.tuple.client_port = s->client_port;
    f.last_ns = f.first_ns + SECOND;
    f.query.sent[1] = s->both || s->outcome == OUTCOME_ESTABLISHED || s->outcome == OUTCOME_REFUSED;
    if (s->protocol != NULL)
        policy_bed_content(&f.query, s->protocol);
    return f;
}

static void add_lives(struct expector *x, unsigned ground)
{
    static const char *const alive[] = {U, "10.0.3.1", "10.0.30.3", "10.0.9.7"};

    for (size_t i = 0; i < sizeof(alive) / sizeof(alive[0]); i++) {
        struct expect_host h = {.first_ns = START, .last_ns = START + 2 * HOUR, .sent = 500, .received = 400, .cut = i == 0 && (ground & CUT) != 0 ? 1 : 0,
                                .quoted = i == 0 && (ground & QUOTED) != 0 ? 15 : 0};

        ck_assert_int_eq(addr_parse(alive[i], &h.addr), 0);
        if ((ground & DEAF) != 0)
            h.sent = 0;
        if ((ground & GROUPS) != 0)
            h.sent_to_groups = h.sent;
        if ((ground & BRIEF) != 0)
            h.last_ns = START + SECOND;
        if ((ground & DEAD) == 0)
            expector_host(x, &h);
    }
}

static struct coverage coverage_of(unsigned ground)
{
    struct coverage c = {.first_ns = START, .last_ns = START + 2 * HOUR, .packets = 10000, .bytes = 1000000};

    if ((ground & SHORT) != 0)
        c.last_ns = START + 600 * SECOND;
    if ((ground & JUST_SHORT) != 0)
        c.last_ns = START + HOUR - 1;
    c.lost = (ground & LOST) != 0 ? 1 : 0;
    c.cut = c.unjudged = (ground & CUT) != 0 ? 3 : (ground & CUT_TO_OTHERS) != 0 ? 9 : 0;
    c.cut_told = (ground & CUT) != 0 ? 1 : (ground & CUT_TO_OTHERS) != 0 ? 9 : 0;
    c.filtered = (ground & FILTERED) != 0 ? 7 : 0;
    c.damaged = (ground & DAMAGED) != 0;
    c.unseen_bytes = (ground & UNSEEN) != 0 ? 1001 : (ground & UNSEEN_FEW) != 0 ? 1000 : 0;
    return c;
}

static const struct expectation *find(const struct policy *p, const struct expectation *all, size_t n, const struct scenario *s)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(policy_bed_row_id(p, all[i].row), s->row) == 0 && strcmp(policy_host_name(p, all[i].client_host), s->client) == 0 &&
            (s->every == NULL || strcmp(policy_host_name(p, all[i].server_host), s->every) == 0))
            return &all[i];
    ck_abort_msg("%s: no expectation of %s for %s", s->name, s->row, s->client);
    return NULL;
}

/* The facts come in one order and in the other, with the same result. */
static void run(const struct scenario *s, bool backwards)
{
    char                      site[4096];
    const struct expectation *all;
    struct expector          *x;
    size_t                    n, n_facts = 0;
    struct coverage           c = coverage_of(s->ground);

    snprintf(site, sizeof(site), "%s%s", HOSTS, s->more != NULL ? s->more : "");
    struct policy_bed bed = policy_bed_of_rules(UNITY_MATRIX, site);
    ck_assert_int_eq(expector_new(bed.policy, &x, NULL), 0);
    while (n_facts < 4 && s->seen[n_facts].client != NULL)
        n_facts++;
    for (size_t i = 0; i < n_facts; i++) {
        struct expect_fact f = fact_of(&s->seen[backwards ? n_facts - 1 - i : i]);
        expector_conversation(x, &f);
    }
    add_lives(x, s->ground);
    ck_assert_int_eq(expector_finish(x, &c, &all, &n, NULL), 0);
    const struct expectation *e = find(bed.policy, all, n, s);
    ck_assert_msg(e->outcome == s->outcome, "%s: %s (%s), expected %s", s->name, expectation_outcome_name(e->outcome), e->reason,
                  expectation_outcome_name(s->outcome));
    ck_assert_msg(e->attempts == s->attempts, "%s: %llu attempts", s->name, (unsigned long long)e->attempts);
    ck_assert_msg(strcmp(policy_host_name(bed.policy, e->server_host), s->server) == 0, "%s: server '%s'", s->name,
                  policy_host_name(bed.policy, e->server_host));
    if (s->reason != NULL)
        ck_assert_str_eq(e->reason, s->reason);
    expector_free(x);
    policy_bed_free(&bed);
}

START_TEST(scenario)
{
    run(&scenarios[_i], false);
    run(&scenarios[_i], true);
}
END_TEST

/* Which expectations there are: required rows that apply, for each client with a server; in the order of the document. */
START_TEST(who)
{
    static const char *const absent[] = {"unity-dc-ldaps", "unity-gc-ldap", "unity-dns", "failover-sql", "unity-ucm-sccps", "unity-phone-rtp"};
    struct policy_bed         bed = policy_bed_of_rules(UNITY_MATRIX, HOSTS "expect: {unity-dc-ntp: on-demand, unity-dc-ldap: {servers: every}}\n");
    const struct expectation *all;
    struct expector          *x;
    struct coverage           c = coverage_of(0);
    size_t                    n, n_ldap = 0, n_ntp = 0;

    ck_assert_int_eq(expector_new(bed.policy, &x, NULL), 0);
    ck_assert_int_eq(expector_finish(x, &c, &all, &n, NULL), 0);
    for (size_t i = 0; i < n; i++) {
        const char *id = policy_bed_row_id(bed.policy, all[i].row);

        ck_assert(i == 0 || all[i - 1].row < all[i].row || (all[i - 1].row == all[i].row && all[i - 1].client_host <= all[i].client_host));
        ck_assert(policy_row_required(bed.policy, all[i].row) && policy_row_enabled(bed.policy, all[i].row));
        for (size_t k = 0; k < sizeof(absent) / sizeof(absent[0]); k++)
            ck_assert_str_ne(id, absent[k]);
        n_ldap += strcmp(id, "unity-dc-ldap") == 0;
        n_ntp += strcmp(id, "unity-dc-ntp") == 0;
        ck_assert_int_eq(all[i].outcome, EXPECT_NOT_COVERED);
        ck_assert_int_eq(all[i].first_ns, 0);
    }
    ck_assert_uint_eq(n_ldap, 2);
    ck_assert_uint_eq(n_ntp, 0);
    expector_free(x);
    policy_bed_free(&bed);
}
END_TEST

/* The first contact and the first ICMP error are the earliest, in whatever order facts come. */
START_TEST(firsts)
{
    struct policy_bed         bed = policy_bed_of_rules(UNITY_MATRIX, HOSTS);
    const struct expectation *all;
    struct expector          *x;
    struct coverage           c = coverage_of(0);
    size_t                    n;
    const struct seen         late = SEEN(U, D1, "tcp/389", OUTCOME_PROHIBITED, 1, 90), early = SEEN(U, D2, "tcp/389", OUTCOME_PROHIBITED, 1, 30);
    const struct scenario     wanted = {.name = "firsts", .row = "unity-dc-ldap", .client = "unity1"};

    ck_assert_int_eq(expector_new(bed.policy, &x, NULL), 0);
    struct expect_fact f = fact_of(&late);
    f.icmp = (struct flow_icmp){.n_errors = 1, .type = 3, .code = 13, .ts_ns = f.first_ns};
    ck_assert_int_eq(addr_parse("10.0.0.9", &f.icmp.sender), 0);
    expector_conversation(x, &f);
    f = fact_of(&early);
    f.icmp = (struct flow_icmp){.n_errors = 1, .type = 3, .code = 10, .ts_ns = f.first_ns};
    ck_assert_int_eq(addr_parse("10.0.0.8", &f.icmp.sender), 0);
    expector_conversation(x, &f);
    ck_assert_int_eq(expector_finish(x, &c, &all, &n, NULL), 0);
    const struct expectation *e = find(bed.policy, all, n, &wanted);
    ck_assert_int_eq(e->first_ns, START + 30 * SECOND);
    ck_assert_uint_eq(e->icmp.code, 10);
    ck_assert_str_eq(e->reason, "unity1 (10.0.1.1) tried LDAP on TCP 389 (of TCP and UDP 389) to dc1 (10.0.2.1) or dc2 (10.0.2.2) in 2 flows: 1 answered by ICMP "
                                "\"host administratively prohibited\" (type 3 code 10) from 10.0.0.8; 1 answered by ICMP \"communication "
                                "administratively prohibited\" (type 3 code 13) from 10.0.0.9. " REQUIRED " Look at what 10.0.0.8 and 10.0.0.9 filter.");
    expector_free(x);
    policy_bed_free(&bed);
}
END_TEST

Suite *suite_policy_outcomes(void);
Suite *suite_policy_outcomes(void)
{
    Suite *s = suite_create("policy/outcomes");
    TCase *t = tcase_create("expectations");

    tcase_add_loop_test(t, scenario, 0, (int)(sizeof(scenarios) / sizeof(scenarios[0])));
    tcase_add_test(t, who);
    tcase_add_test(t, firsts);
    suite_add_tcase(s, t);
    return s;
}
