/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "rules_help.h"

#define ROLES \
    "matrix: m\n" \
    "roles: {a: {}, b: {}}\n"
#define PARTS \
    "options: {o: {values: [on, off, both]}, q: {}}\n" \
    "parameters: {p: {ports: 5-9}, v: {version: \"5.0\"}}\n"
#define ROWS \
    "sections:\n" \
    "  - heading: S\n" \
    "    rows:\n"
#define ROW \
    "      - {id: r, from: a, to: b, ports: tcp/1, service: s, expect: required}\n"

struct case_of {
    const char *name, *text, *errors;
};

static const struct case_of bad[] = {
    {"an empty file",
     "",
     "1:1: the file is empty; it should hold 'key: value' lines\n"},
    {"nothing but a name",
     "matrix: m\n",
     "1:1: 'roles' is missing in a matrix\n"
     "1:1: 'sections' is missing in a matrix\n"},
    {"an unknown key",
     ROLES ROWS ROW "vendor: x\n",
     "7:1: unknown key 'vendor' in a matrix; known: matrix, title, source, roles, options, parameters, sections, separations, signs and tests\n"},
    {"a name with a space",
     "matrix: my m\n"
     "roles: {a: {}, b: {}}\n"
     ROWS ROW,
     "1:9: 'my m' is no identifier; use letters, digits, '-', '_' and '.'\n"},
    {"a role twice",
     "matrix: m\n"
     "roles: {a: {}, b: {}, a: {}}\n"
     ROWS ROW,
     "2:23: duplicate role 'a'; line 2 has it already\n"},
    {"a role with a bar",
     "matrix: m\n"
     "roles: {a: {}, b: {}, \"a|b\": {}}\n"
     ROWS ROW,
     "2:24: 'a|b' is no identifier; use letters, digits, '-', '_' and '.'\n"},
    {"an unknown key of a role",
     "matrix: m\n"
     "roles: {a: {implied: b}, b: {}}\n"
     ROWS ROW,
     "2:13: unknown key 'implied' in a role; did you mean 'implies'?\n"},
    {"a role that implies nobody",
     "matrix: m\n"
     "roles: {a: {implies: [b, cc]}, b: {}}\n"
     ROWS ROW,
     "2:26: unknown role 'cc'; known: a and b\n"},
    {"neither true nor false",
     "matrix: m\n"
     "roles: {a: {governed: maybe}, b: {}}\n"
     ROWS ROW,
     "2:23: 'maybe' is neither true nor false; write one of these\n"},
    {"an option's values",
     ROLES ROWS ROW "options: {o: {values: [on, dim]}}\n",
     "7:11: option 'o' cannot be 'off' by default; 'values' does not list it\n"
     "7:28: 'dim' is no value of an option; on, off and both are\n"},
    {"a default that is no value",
     ROLES ROWS ROW "options: {o: {values: [on]}}\n",
     "7:11: option 'o' cannot be 'off' by default; 'values' does not list it\n"},
    {"a default of another kind",
     ROLES ROWS ROW "options: {o: {default: 7}}\n",
     "7:24: '7' is no value of an option; write on, off or both\n"},
    {"an option on with nobody",
     ROLES ROWS ROW "options: {o: {on_with: c1}}\n",
     "7:24: unknown role 'c1'; known: a and b\n"},
    {"an option twice",
     ROLES ROWS ROW "options: {o: {}, o: {}}\n",
     "7:18: duplicate option 'o'; line 7 has it already\n"},
    {"a parameter of both kinds",
     ROLES ROWS ROW "parameters: {p: {ports: 1, version: \"5\"}}\n",
     "7:14: parameter 'p' has both 'ports' and 'version'; give one of them ('ports: []' for none by default)\n"},
    {"a parameter of no kind",
     ROLES ROWS ROW "parameters: {p: {text: x}}\n",
     "7:14: parameter 'p' has neither of 'ports' and 'version'; give one of them ('ports: []' for none by default)\n"},
    {"no version",
     ROLES ROWS ROW "parameters: {p: {version: five}}\n",
     "7:27: 'five' is no version; write numbers and dots, such as 5.0\n"},
    {"a lost version",
     ROLES ROWS ROW "parameters: {p: {version: \"5\", lost: true}}\n",
     "7:14: parameter 'p' is a version; 'minimum' and 'lost' are for ports\n"},
    {"a minimum of nothing",
     ROLES ROWS ROW "parameters: {p: {ports: 1, minimum: {ports: 0}}}\n",
     "7:45: '0' is no number of ports; write 1 to 65535\n"},
    {"a minimum that is not counted",
     ROLES ROWS ROW "parameters: {p: {ports: 1, minimum: {text: x}}}\n",
     "7:37: 'ports' is missing in a minimum\n"},
    {"a parameter's ports",
     ROLES ROWS ROW "parameters: {p: {ports: tcp/1}}\n",
     "7:25: 'tcp/1' names a transport, which the rows do; write '1'\n"},
    {"no sections",
     ROLES "sections: []\n",
     "3:11: 'sections' is empty; a matrix has at least one\n"},
    {"a section without a heading",
     ROLES "sections:\n"
     "  - rows: []\n",
     "4:5: 'heading' is missing in a section\n"},
    {"a section without rows",
     ROLES "sections:\n"
     "  - heading: S\n",
     "4:5: 'rows' is missing in a section\n"},
    {"a row without ports",
     ROLES PARTS ROWS "      - {id: r, from: a, to: b, service: s, expect: required}\n",
     "8:9: 'ports' is missing in a row\n"},
    {"a row without from",
     ROLES PARTS ROWS "      - {id: r, to: b, ports: tcp/1, service: s, expect: required}\n",
     "8:9: 'from' is missing in a row and in its section\n"},
    {"a row from nobody",
     ROLES PARTS ROWS "      - {id: r, from: [], to: b, ports: tcp/1, service: s, expect: required}\n",
     "8:23: 'from' is empty; a row needs at least one\n"},
    {"a row to an unknown role",
     ROLES PARTS ROWS "      - {id: r, from: a, to: [b, c1], ports: tcp/1, service: s, expect: required}\n",
     "8:34: unknown role 'c1'; known: a and b\n"},
    {"a row twice",
     ROLES PARTS ROWS ROW ROW,
     "9:14: duplicate row 'r'; line 8 has it already\n"},
    {"an unknown key of a row",
     ROLES PARTS ROWS "      - {id: r, from: a, to: b, ports: tcp/1, service: s, expect: required, servcie: x}\n",
     "8:77: unknown key 'servcie' in a row; did you mean 'service'?\n"},
    {"an expectation",
     ROLES PARTS ROWS "      - {id: r, from: a, to: b, ports: tcp/1, service: s, expect: always}\n",
     "8:67: 'always' is no expectation; write required or on-demand\n"},
    {"ports without a transport",
     ROLES PARTS ROWS "      - {id: r, from: a, to: b, ports: 88, service: s, expect: required}\n",
     "8:40: port '88' has no transport; write 'tcp/88' or 'udp/88'\n"},
    {"ports of another transport",
     ROLES PARTS ROWS "      - {id: r, from: a, to: b, ports: [sctp/1, TCP/1], service: s, expect: required}\n",
     "8:41: 'sctp' is no transport; write tcp/88, udp/5000-5020 or tcp/{parameter}\n"
     "8:49: 'TCP' is no transport; write tcp/88, udp/5000-5020 or tcp/{parameter}\n"},
    {"a range backwards",
     ROLES PARTS ROWS "      - {id: r, from: a, to: b, ports: tcp/9-8, service: s, expect: required}\n",
     "8:40: port range 'tcp/9-8' runs backwards; did you mean 'tcp/8-9'?\n"},
    {"port 0",
     ROLES PARTS ROWS "      - {id: r, from: a, to: b, ports: udp/0, service: s, expect: required}\n",
     "8:40: port 0 in 'udp/0' does not exist; ports are 1 to 65535\n"},
    {"a port too high",
     ROLES PARTS ROWS "      - {id: r, from: a, to: b, ports: udp/1-70000, service: s, expect: required}\n",
     "8:40: port 70000 in 'udp/1-70000' does not exist; ports are 1 to 65535\n"},
    {"a port twice",
     ROLES PARTS ROWS "      - {id: r, from: a, to: b, ports: [tcp/1, udp/1, tcp/1], service: s, expect: required}\n",
     "8:55: duplicate port 'tcp/1'; this list has it already\n"},
    {"an empty list of ports",
     ROLES PARTS ROWS "      - {id: r, from: a, to: b, ports: [], service: s, expect: required}\n",
     "8:40: 'ports' is empty; a row needs at least one\n"},
    {"a parameter that does not end",
     ROLES PARTS ROWS "      - {id: r, from: a, to: b, ports: \"tcp/{p\", service: s, expect: required}\n",
     "8:41: 'tcp/{p' names no parameter; write tcp/{parameter}\n"},
    {"an unknown parameter",
     ROLES PARTS ROWS "      - {id: r, from: a, to: b, ports: \"tcp/{pp}\", service: s, expect: required}\n",
     "8:41: unknown parameter 'pp'; did you mean 'p'?\n"},
    {"a version for ports",
     ROLES PARTS ROWS "      - {id: r, from: a, to: b, ports: \"tcp/{v}\", service: s, expect: required}\n",
     "8:41: parameter 'v' is a version and not ports\n"},
    {"a parameter without quotes in a list",
     ROLES PARTS ROWS "      - {id: r, from: a, to: b, ports: [tcp/{p}], service: s, expect: required}\n",
     "8:45: missing comma in flow sequence; the '[' of line 8, column 40 is still open, and a text that holds a bracket stands in quotes\n"},
    {"one-way for another port",
     ROLES PARTS ROWS "      - {id: r, from: a, to: b, ports: tcp/1, service: s, expect: required, one_way: udp/1}\n",
     "8:86: 'udp/1' is not among the ports of this row; write it as 'ports' has it\n"},
    {"a condition on an unknown option",
     ROLES PARTS ROWS "      - {id: r, from: a, to: b, ports: tcp/1, service: s, expect: required, when: {oo: on}}\n",
     "8:84: unknown option 'oo'; did you mean 'o'?\n"},
    {"a condition on both",
     ROLES PARTS ROWS "      - {id: r, from: a, to: b, ports: tcp/1, service: s, expect: required, when: {o: both}}\n",
     "8:87: 'both' is no condition; write on, off, or a version as in '5.0 or later'\n"},
    {"a condition twice",
     ROLES PARTS ROWS "      - {id: r, from: a, to: b, ports: tcp/1, service: s, expect: required, when: {o: on, o: off}}\n",
     "8:91: duplicate condition 'o'; line 8 has it already\n"},
    {"a condition on an unknown version",
     ROLES PARTS ROWS "      - {id: r, from: a, to: b, ports: tcp/1, service: s, expect: required, when: {w: 5.0 or later}}\n",
     "8:84: unknown parameter 'w'; did you mean 'p'?\n"},
    {"a condition on ports",
     ROLES PARTS ROWS "      - {id: r, from: a, to: b, ports: tcp/1, service: s, expect: required, when: {p: 5.0 or later}}\n",
     "8:84: parameter 'p' is no version; only versions can be compared\n"},
    {"a condition that is a word",
     ROLES PARTS ROWS "      - {id: r, from: a, to: b, ports: tcp/1, service: s, expect: required, when_any: {o: perhaps}}\n",
     "8:91: 'perhaps' is no condition; write on, off, or a version as in '5.0 or later'\n"},
    {"a notice with nothing",
     ROLES PARTS ROWS "      - {id: r, from: a, to: b, ports: tcp/1, service: s, expect: required, notice_with: x9}\n",
     "8:90: unknown option 'x9'; known: o and q\n"},
    {"a section's condition in a row again",
     ROLES PARTS "sections:\n"
     "  - heading: S\n"
     "    when: {o: on}\n"
     "    rows:\n"
     "      - {id: r, from: a, to: b, ports: tcp/1, service: s, expect: required, when: {o: off}}\n",
     "9:84: duplicate condition 'o'; line 7 has it already\n"},
    {"a separation of one",
     ROLES ROWS ROW "separations:\n"
     "  - {between: [a], section: S, text: t}\n",
     "8:15: a separation is between two roles; write [role, role]\n"},
    {"a separation from nobody",
     ROLES ROWS ROW "separations:\n"
     "  - {between: [a, c1], section: S, text: t}\n",
     "8:19: unknown role 'c1'; known: a and b\n"},
    {"a separation without its source",
     ROLES ROWS ROW "separations:\n"
     "  - {between: [a, b]}\n",
     "8:5: 'section' is missing in a separation\n"
     "8:5: 'text' is missing in a separation\n"},
    {"a sign of nobody",
     ROLES ROWS ROW "signs:\n"
     "  - {interface: NSPI, from: a, role: c1, section: S, text: t}\n",
     "8:38: unknown role 'c1'; known: a and b\n"},
    {"a sign without its source",
     ROLES ROWS ROW "signs:\n"
     "  - {interface: NSPI, from: a, role: b, text: t}\n",
     "8:5: 'section' is missing in a sign\n"},
    {"a test of few words",
     ROLES ROWS ROW "tests: [allow a b]\n",
     "7:9: this is no test; write 'allow|deny CLIENT-ROLE SERVER-ROLE tcp/PORT [as PROTOCOL] [with OPTION=VALUE ...]'\n"},
    {"a test of another verb",
     ROLES ROWS ROW "tests: [permit a b tcp/1]\n",
     "7:9: this is no test; write 'allow|deny CLIENT-ROLE SERVER-ROLE tcp/PORT [as PROTOCOL] [with OPTION=VALUE ...]'\n"},
    {"a test of a range",
     ROLES ROWS ROW "tests: [allow a b tcp/1-2]\n",
     "7:9: a test has one port, and 'tcp/1-2' is not one; write 'allow|deny CLIENT-ROLE SERVER-ROLE tcp/PORT [as PROTOCOL] [with OPTION=VALUE ...]'\n"},
    {"a test that ends early",
     ROLES ROWS ROW "tests: [allow a b tcp/1 as]\n",
     "7:9: 'as' is not understood in a test; write 'allow|deny CLIENT-ROLE SERVER-ROLE tcp/PORT [as PROTOCOL] [with OPTION=VALUE ...]'\n"},
    {"a test of an unknown role",
     ROLES ROWS ROW "tests: [deny a c1 tcp/1]\n",
     "7:9: unknown role 'c1'; known: a and b\n"},
    {"a test of an unknown option",
     ROLES PARTS ROWS ROW "tests: [deny a b tcp/1 with z=on]\n",
     "9:9: unknown option 'z'; did you mean 'o'?\n"},
    {"a test of another value",
     ROLES PARTS ROWS ROW "tests: [deny a b tcp/1 as X with o=dim q=both]\n",
     "9:9: 'o=dim' sets no option; write OPTION=on, OPTION=off or OPTION=both\n"
     "9:9: option 'q' cannot be 'both'\n"},
    {"a test's port",
     ROLES ROWS ROW "tests: [deny a b tcp/x]\n",
     "7:9: 'tcp/x' is no port or range of ports; write tcp/88, udp/5000-5020 or tcp/{parameter}\n"},
    {"an error in the YAML hides what depends on the rest",
     "matrix: m\n"
     "roles: {a: {}}\n"
     "sections:\n"
     "  - heading: S\n"
     "    colour: x\n"
     "    rows:\n"
     "      - {id: r\n",
     "5:5: unknown key 'colour' in a section; known: heading, from, to, other, condition, when and rows\n"
     "8:1: missing comma in flow mapping; the '{' of line 7, column 9 is still open, and a text that holds a bracket stands in quotes\n"},
};

START_TEST(an_error_has_its_place_and_says_what_would_be_right)
{
    char *errors = matrix_errors(bad[_i].text, strlen(bad[_i].text));

    ck_assert_msg(strcmp(errors, bad[_i].errors) == 0, "%s: expected\n%sgot\n%s", bad[_i].name, bad[_i].errors, errors);
    free(errors);
}
END_TEST

/* The whole of what a matrix can say. */
static const char full[] =
    "matrix: full\n"
    "title: A title\n"
    "source: A guide\n"
    "roles:\n"
    "  server: {text: a server, family: f, governed: true}\n"
    "  first: {implies: server, family: f}\n"
    "  client: {}\n"
    "options:\n"
    "  https: {text: HTTPS, values: [on, off, both], default: on}\n"
    "  pair: {on_with: [first, client]}\n"
    "parameters:\n"
    "  range: {text: a range, ports: [5000-5020, 6000], minimum: {ports: 20, text: too few, section: S2}}\n"
    "  gone: {ports: [], lost: yes}\n"
    "  release: {version: \"5.0\"}\n"
    "sections:\n"
    "  - heading: S1\n"
    "    from: client\n"
    "    to: server\n"
    "    when: {pair: on}\n"
    "    rows:\n"
    "      - {id: r1, ports: [tcp/80, udp/5-9, \"tcp/{range}\"], one_way: udp/5-9, service: web, when: {https: off}, expect: required, protocols: [HTTP, TLS], off_text: no}\n"
    "      - {id: r2, to: first, from: [client, server], ports: tcp/1, service: x, when: {release: 5.0 or later}, expect: on-demand, media: true, note: ours, notice_with: https}\n"
    "  - heading: S2\n"
    "    rows:\n"
    "      - {id: r3, from: server, to: server, other: the other one, ports: tcp/2, service: y, expect: on-demand, when_any: {https: on, pair: off}}\n"
    "      - {id: r4, from: server, to: client, ports: tcp/3, service: z, expect: on-demand, condition: in words, when: {https: on}}\n"
    "separations:\n"
    "  - {between: [first, client], section: S1, text: keep together}\n"
    "tests:\n"
    "  - allow client server tcp/80 as HTTP with https=off pair=on\n"
    "  - deny server client udp/80\n";

START_TEST(every_key_of_the_head_is_read)
{
    struct matrix *m = good_matrix(full);

    ck_assert_str_eq(m->id, "full");
    ck_assert_str_eq(m->title, "A title");
    ck_assert_str_eq(m->source, "A guide");
    ck_assert_uint_eq(m->n_roles, 3);
    ck_assert(m->roles[0].governed && !m->roles[1].governed);
    ck_assert_str_eq(m->roles[1].implies.items[0].text, "server");
    ck_assert_str_eq(m->roles[1].family, "f");
    ck_assert_ptr_null(m->roles[2].family);
    ck_assert_uint_eq(m->options[0].values.n, 3);
    ck_assert_str_eq(m->options[0].fallback, "on");
    ck_assert_uint_eq(m->options[1].values.n, 2);
    ck_assert_str_eq(m->options[1].fallback, "off");
    ck_assert_uint_eq(m->options[1].default_on_role.n, 2);
    ck_assert_uint_eq(m->parameters[0].ports.n, 2);
    ck_assert_uint_eq(m->parameters[0].minimum, 20);
    ck_assert_str_eq(m->parameters[0].minimum_text, "too few");
    ck_assert_str_eq(m->parameters[0].minimum_section, "S2");
    ck_assert(m->parameters[1].lost && m->parameters[1].ports.n == 0);
    ck_assert(m->parameters[2].type == RULES_PARAMETER_VERSION);
    ck_assert_str_eq(m->parameters[2].version, "5.0");
    ck_assert_str_eq(m->separations[0].b.text, "client");
    ck_assert_str_eq(m->separations[0].text, "keep together");
    matrix_free(m);
}
END_TEST

START_TEST(rows_have_what_they_say_and_what_their_section_says)
{
    struct matrix           *m = good_matrix(full);
    const struct matrix_row *r = m->rows;

    ck_assert_uint_eq(m->n_rows, 4);
    ck_assert_uint_eq(m->sections.n, 2);
    ck_assert_str_eq(r[0].section, "S1");
    ck_assert_str_eq(r[2].section, "S2");
    ck_assert_str_eq(r[0].from_text, "client");
    ck_assert_str_eq(r[1].from_text, "client|server");
    ck_assert_str_eq(r[1].to_text, "first");
    ck_assert_str_eq(r[2].to_text, "server (the other one)");
    ck_assert(r[2].other && !r[1].other);
    ck_assert_str_eq(r[0].ports_text, "tcp/80 udp/5-9 tcp/{range}");
    ck_assert(!r[0].ports.items[0].one_way && r[0].ports.items[1].one_way);
    ck_assert_str_eq(r[0].ports.items[2].parameter, "range");
    ck_assert(r[0].expect == RULES_EXPECT_REQUIRED && r[1].expect == RULES_EXPECT_ON_DEMAND);
    ck_assert_uint_eq(r[0].protocols.n, 2);
    ck_assert_str_eq(r[0].off_text, "no");
    ck_assert(r[1].media && !r[0].media);
    ck_assert_str_eq(r[1].note, "ours");
    ck_assert_str_eq(r[1].wide_notice_option, "https");
    ck_assert_uint_eq(r[0].id.place.line, 21);
    ck_assert_uint_eq(r[0].id.place.column, 14);
    matrix_free(m);
}
END_TEST

START_TEST(conditions_add_up_and_read_as_words)
{
    struct matrix           *m = good_matrix(full);
    const struct matrix_row *r = m->rows;

    ck_assert_uint_eq(r[0].n_when, 2);
    ck_assert_str_eq(r[0].condition, "option pair, option https off");
    ck_assert_str_eq(r[1].condition, "option pair, parameter release 5.0 or later");
    ck_assert(r[1].when[1].at_least);
    ck_assert_str_eq(r[1].when[1].value, "5.0");
    ck_assert_uint_eq(r[2].n_when, 0);
    ck_assert_uint_eq(r[2].n_when_any, 2);
    ck_assert_str_eq(r[2].condition, "option https on or option pair off");
    ck_assert_str_eq(r[3].condition, "in words");
    matrix_free(m);
}
END_TEST

START_TEST(tests_are_read)
{
    struct matrix            *m = good_matrix(full);
    const struct matrix_test *t = m->tests;

    ck_assert_uint_eq(m->n_tests, 2);
    ck_assert(t[0].allow && !t[1].allow);
    ck_assert_str_eq(t[0].client, "client");
    ck_assert_str_eq(t[0].server, "server");
    ck_assert(t[0].transport == IPPROTO_TCP && t[0].port == 80);
    ck_assert_str_eq(t[0].protocol, "HTTP");
    ck_assert_uint_eq(t[0].options.n, 2);
    ck_assert_str_eq(t[0].options.items[1].text, "pair=on");
    ck_assert(t[1].transport == IPPROTO_UDP && t[1].protocol == NULL && t[1].options.n == 0);
    ck_assert_uint_eq(t[1].place.line, 31);
    matrix_free(m);
}
END_TEST

START_TEST(a_place_leads_back_into_the_text)
{
    struct matrix    *m = good_matrix(full);
    struct diag_place at = matrix_place(m, &m->rows[0].id.place);

    ck_assert_str_eq(at.file, "t.yaml");
    ck_assert_uint_eq(at.line, 21);
    ck_assert_ptr_eq(at.text, m->text);
    ck_assert_uint_eq(at.size, strlen(full));
    matrix_free(m);
    matrix_free(NULL);
}
END_TEST

START_TEST(no_prefix_and_no_changed_byte_of_a_matrix_breaks_the_parser)
{
    char text[sizeof(full)];

    for (size_t i = 0; i < strlen(full); i++)
        free(matrix_errors(full, i));
    for (size_t i = 0; i < strlen(full); i++) {
        static const char bytes[] = "\"'{}[]:,-#&*!|>%@`\n\t \x80";

        memcpy(text, full, sizeof(full));
        text[i] = bytes[(i * 7 + (size_t)_i) % (sizeof(bytes) - 1)];
        free(matrix_errors(text, strlen(full)));
    }
}
END_TEST

Suite *suite_rules_matrix(void);
Suite *suite_rules_matrix(void)
{
    Suite *s = suite_create("rules: matrices");
    TCase *t = tcase_create("matrices");

    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, an_error_has_its_place_and_says_what_would_be_right, 0, sizeof(bad) / sizeof(bad[0]));
    tcase_add_test(t, every_key_of_the_head_is_read);
    tcase_add_test(t, rows_have_what_they_say_and_what_their_section_says);
    tcase_add_test(t, conditions_add_up_and_read_as_words);
    tcase_add_test(t, tests_are_read);
    tcase_add_test(t, a_place_leads_back_into_the_text);
    tcase_add_loop_test(t, no_prefix_and_no_changed_byte_of_a_matrix_breaks_the_parser, 0, 3);
    suite_add_tcase(s, t);
    return s;
}
