/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <ndpi_api.h>

#include "flowaudit/classify.h"

static const struct {
    const char *name, *detail, *wanted;
    enum app_basis basis;
    bool satisfied;
} pairs[] = {
    {"TLS", "", "TLS", APP_CONTENT, true},
    {"TLS", "TLS.Microsoft365", "TLS", APP_CONTENT, true},
    {"TLS", "", "HTTP", APP_CONTENT, false},
    {"HTTP", "", "HTTP", APP_CONTENT, true},
    {"RTCP", "", "RTP", APP_CONTENT, true},
    {"SMB", "SMBv1", "SMB", APP_CONTENT, true},
    {"SMBv23", "", "SMB", APP_CONTENT, true},
    {"SMB", "SMBv1", "SMBv1", APP_CONTENT, true},
    {"SMB", "SMBv23", "SMBv1", APP_CONTENT, false},
    {"SMTPS", "", "SMTP", APP_CONTENT, true},
    {"Kerberos", "kpasswd", "Kerberos", APP_CONTENT, true},
    {"DCERPC", "", "DCE_RPC", APP_CONTENT, true},
    {"NetBIOS", "mailslot", "SMB", APP_CONTENT, false},
    {"NetBIOS", "mailslot", "SMBv1", APP_CONTENT, false},
    {"MySQL", "", "MySQL", APP_CONTENT, true},
    {"MySQL", "", "PostgreSQL", APP_CONTENT, false},
    {"LDAP", "", "LDAP", APP_HINT, false},
    {"", "", "LDAP", APP_NONE, false},
};

START_TEST(content_satisfies_what_a_row_expects)
{
    struct app app = {.basis = pairs[_i].basis};

    memcpy(app.name, pairs[_i].name, strlen(pairs[_i].name) + 1);
    memcpy(app.detail, pairs[_i].detail, strlen(pairs[_i].detail) + 1);
    ck_assert_msg(classify_satisfies(&app, pairs[_i].wanted) == pairs[_i].satisfied, "%s for %s", app.name,
                  pairs[_i].wanted);
}
END_TEST

START_TEST(names_of_the_library_are_known)
{
    struct ndpi_detection_module_struct *module = ndpi_init_detection_module(ndpi_no_prefs);
    NDPI_PROTOCOL_BITMASK all;

    if (NDPI_MAJOR != 4 || NDPI_MINOR != 2)
        return; /* later versions have more names; ours stay those of this one */
    ck_assert_ptr_nonnull(module);
    NDPI_BITMASK_SET_ALL(all);
    ndpi_set_protocol_detection_bitmask2(module, &all);
    ndpi_finalize_initialization(module);
    for (unsigned i = 1; i < ndpi_get_num_supported_protocols(module); i++) {
        const char *name = ndpi_get_proto_name(module, (u_int16_t)i);
        ck_assert_msg(classify_knows(name), "%s", name);
    }
    ndpi_exit_detection_module(module);
}
END_TEST

START_TEST(names_are_told_apart_by_case_and_are_listed_once)
{
    const char *const *names = classify_names();

    ck_assert(classify_knows("SMB"));
    ck_assert(!classify_knows("smb"));
    ck_assert(!classify_knows(""));
    ck_assert(!classify_knows("Unknown"));
    ck_assert_str_eq(names[0], "Kerberos");
    for (size_t i = 0; names[i] != NULL; i++) {
        for (size_t k = i + 1; names[k] != NULL; k++)
            ck_assert_str_ne(names[i], names[k]);
        ck_assert_uint_lt(strlen(names[i]), APP_NAME_SIZE);
    }
}
END_TEST

/* The first three are the specification's own; the others were computed by two independent implementations. */
static const struct {
    const char *client, *server;
    uint16_t client_port, server_port;
    uint8_t transport;
    const char *id;
} ids[] = {
    {"128.232.110.120", "66.35.250.204", 34855, 80, IPPROTO_TCP, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
    {"192.168.1.52", "8.8.8.8", 54585, 53, IPPROTO_UDP, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
    {"192.168.170.8", "192.168.170.56", 7, 80, IPPROTO_SCTP, "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ="},
    {"10.0.0.1", "173.194.68.26", 57406, 25, IPPROTO_TCP, "1:q9VhPPmhmImM1YZTfmQO4wbS4N4="},
    {"2003:de:2016:125:fc36:8317:4e86:cb72", "2003:de:2016:120::a08:53", 7562, 25, IPPROTO_TCP,
     "1:weJ+7RfCo34PNwa3GUv65bCq8nY="},
    {"10.0.0.1", "10.0.0.1", 20, 10, IPPROTO_TCP, "1:1Lc+0H/HgLmR5V4rmOeuDZQS11k="},
    {"fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 5000, 88, IPPROTO_UDP, "1:LP8+/GmzF60o5v+nN+LZO689EHU="},
    {"fd00:20::1", "::1", 1, 65535, IPPROTO_TCP, "1:TssAbGajNXAXJlUZ2KeSu91ICj0="},
};

START_TEST(community_id_is_the_same_for_both_directions)
{
    struct tuple tuple = {
        .client_port = ids[_i].client_port, .server_port = ids[_i].server_port, .transport = ids[_i].transport};
    char id[COMMUNITY_ID_SIZE];

    ck_assert_int_eq(addr_parse(ids[_i].client, &tuple.client), 0);
    ck_assert_int_eq(addr_parse(ids[_i].server, &tuple.server), 0);
    ck_assert_int_eq(community_id(&tuple, id), 0);
    ck_assert_str_eq(id, ids[_i].id);
    struct tuple turned = {.client = tuple.server,
                           .server = tuple.client,
                           .client_port = tuple.server_port,
                           .server_port = tuple.client_port,
                           .transport = tuple.transport};
    ck_assert_int_eq(community_id(&turned, id), 0);
    ck_assert_str_eq(id, ids[_i].id);
}
END_TEST

START_TEST(community_id_wants_ports)
{
    struct tuple tuple = {.transport = IPPROTO_ICMP};
    char id[COMMUNITY_ID_SIZE];

    ck_assert_int_eq(community_id(&tuple, id), -ENOTSUP);
}
END_TEST

Suite *suite_names(void);

Suite *suite_names(void)
{
    Suite *suite = suite_create("names");
    TCase *tc = tcase_create("names");

    tcase_add_loop_test(tc, content_satisfies_what_a_row_expects, 0, (int)(sizeof(pairs) / sizeof(pairs[0])));
    tcase_add_test(tc, names_of_the_library_are_known);
    tcase_add_test(tc, names_are_told_apart_by_case_and_are_listed_once);
    tcase_add_loop_test(tc, community_id_is_the_same_for_both_directions, 0, (int)(sizeof(ids) / sizeof(ids[0])));
    tcase_add_test(tc, community_id_wants_ports);
    suite_add_tcase(suite, tc);
    return suite;
}
