/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "rules_help.h"

#define HOSTS "hosts: {a: {addresses: 10.0.0.1, roles: []}}\n"
#define FOUR(s) s s s s
#define NAME_OF_256 FOUR(FOUR(FOUR(FOUR("m"))))

struct case_of {
    const char *name, *text, *errors;
};

static const struct case_of bad[] = {
    {"an empty file",
     "",
     "1:1: the file is empty; it should hold 'key: value' lines\n"},
    {"comments alone",
     "# nothing\n",
     "1:1: the file is empty; it should hold 'key: value' lines\n"},
    {"a word",
     "hosts\n",
     "1:1: a site must be a mapping; write 'key: value' lines or {key: value}\n"},
    {"a list",
     "- a\n",
     "1:3: a site must be a mapping; write 'key: value' lines or {key: value}\n"},
    {"no hosts",
     "site: x\n",
     "1:1: 'hosts' is missing in a site\n"},
    {"hosts without a value",
     "hosts:\n",
     "1:1: 'hosts' is empty; name at least one: {addresses: [10.0.0.1], roles: [...]}\n"},
    {"hosts as a list",
     "hosts: [a]\n",
     "1:8: 'hosts' must be a mapping; write 'key: value' lines or {key: value}\n"},
    {"an unknown key",
     HOSTS "color: red\n",
     "2:1: unknown key 'color' in a site; known: site, matrix, options, parameters, hosts, within, expect, ignore and exceptions\n"},
    {"a misspelt key is one error",
     "sit: x\n"
     "hots: {a: {addresses: 10.0.0.1, roles: []}}\n",
     "1:1: unknown key 'sit' in a site; did you mean 'site'?\n"
     "2:1: unknown key 'hots' in a site; did you mean 'hosts'?\n"},
    {"a duplicate key",
     HOSTS "site: x\n"
     "site: y\n",
     "3:1: duplicate key 'site' in a site; line 2 has it already\n"},
    {"a duplicate host",
     "hosts:\n"
     "  a: {addresses: 10.0.0.1, roles: []}\n"
     "  a: {addresses: 10.0.0.2, roles: []}\n",
     "3:3: duplicate host 'a'; line 2 has it already\n"},
    {"a key that is a list",
     HOSTS "[x]: y\n",
     "2:1: a key in a site must be a word\n"},
    {"three errors are three findings",
     "sitte: x\n"
     "hosts:\n"
     "  a: {addresses: [10.0.0.1, 10.1.1.999], rolls: [x]}\n",
     "1:1: unknown key 'sitte' in a site; did you mean 'site'?\n"
     "3:29: '10.1.1.999' is not an address or network; write 10.0.0.1, 10.0.0.0/24, 10.0.0.1-10.0.0.9, or the like in IPv6\n"
     "3:42: unknown key 'rolls' in a host; did you mean 'roles'?\n"},
    {"a host without keys",
     "hosts:\n"
     "  a:\n",
     "2:3: 'addresses' is missing in a host\n"
     "2:3: 'roles' is missing in a host\n"},
    {"a host that is a number",
     "hosts:\n"
     "  a: 7\n",
     "2:6: a host must be a mapping; write 'key: value' lines or {key: value}\n"},
    {"no addresses",
     "hosts:\n"
     "  a: {addresses: [], roles: x}\n",
     "2:18: 'addresses' is empty; a host has at least one\n"},
    {"addresses as a mapping",
     "hosts:\n"
     "  a: {addresses: {b: c}, roles: x}\n",
     "2:18: 'addresses' must be a list; write '- ' lines or [a, b]\n"},
    {"no such address",
     "hosts:\n"
     "  a: {addresses: 10.1.1.999, roles: x}\n",
     "2:18: '10.1.1.999' is not an address or network; write 10.0.0.1, 10.0.0.0/24, 10.0.0.1-10.0.0.9, or the like in IPv6\n"},
    {"a name for an address",
     "hosts:\n"
     "  a: {addresses: unity1, roles: x}\n",
     "2:18: 'unity1' is not an address or network; write 10.0.0.1, 10.0.0.0/24, 10.0.0.1-10.0.0.9, or the like in IPv6\n"},
    {"host bits",
     "hosts:\n"
     "  a: {addresses: 10.0.0.1/8, roles: x}\n",
     "2:18: '10.0.0.1/8' has bits set behind its prefix; did you mean '10.0.0.0/8'?\n"},
    {"host bits in IPv6",
     "hosts:\n"
     "  a: {addresses: \"fd00::1/64\", roles: x}\n",
     "2:19: 'fd00::1/64' has bits set behind its prefix; did you mean 'fd00::/64'?\n"},
    {"a prefix too long",
     "hosts:\n"
     "  a: {addresses: 10.0.0.0/33, roles: x}\n",
     "2:18: the prefix of '10.0.0.0/33' is too long; 32 is the longest for IPv4, 128 for IPv6\n"},
    {"a prefix too long in IPv6",
     "hosts:\n"
     "  a: {addresses: \"fd00::/129\", roles: x}\n",
     "2:19: the prefix of 'fd00::/129' is too long; 32 is the longest for IPv4, 128 for IPv6\n"},
    {"a range that runs backwards",
     "hosts:\n"
     "  a: {addresses: 10.0.0.9-10.0.0.1, roles: x}\n",
     "2:18: range '10.0.0.9-10.0.0.1' runs backwards; did you mean '10.0.0.1-10.0.0.9'?\n"},
    {"a range of two families",
     "hosts:\n"
     "  a: {addresses: \"10.0.0.1-fd00::1\", roles: x}\n",
     "2:19: range '10.0.0.1-fd00::1' mixes IPv4 and IPv6; write one range for each\n"},
    {"the same block twice",
     "hosts:\n"
     "  a: {addresses: [10.0.0.0/24, 10.0.0.0-10.0.0.255], roles: x}\n",
     "2:32: duplicate address '10.0.0.0/24'; this host has it already\n"},
    {"a block that overlaps another of its host",
     "hosts:\n"
     "  a: {addresses: [10.0.0.0-10.0.0.9, 10.0.0.5-10.0.0.20], roles: x}\n",
     "2:38: addresses '10.0.0.5-10.0.0.20' overlap '10.0.0.0-10.0.0.9' of host 'a' (line 2); a block must lie wholly inside the other, or apart from it\n"},
    {"an address of two hosts",
     "hosts:\n"
     "  a: {addresses: 10.0.0.1, roles: x}\n"
     "  b: {addresses: 10.0.0.1, roles: x}\n",
     "3:18: address '10.0.0.1' belongs to host 'a' already (line 2); an address has one host\n"},
    {"one network of two hosts",
     "hosts:\n"
     "  a: {addresses: 10.0.0.0/24, roles: x}\n"
     "  b: {addresses: 10.0.0.0/24, roles: x}\n",
     "3:18: address '10.0.0.0/24' belongs to host 'a' already (line 2); an address has one host\n"},
    {"overlapping blocks of two hosts",
     "hosts:\n"
     "  a: {addresses: 10.0.0.5-10.0.0.20, roles: x}\n"
     "  b: {addresses: 10.0.0.0-10.0.0.9, roles: x}\n",
     "3:18: addresses '10.0.0.0-10.0.0.9' overlap '10.0.0.5-10.0.0.20' of host 'a' (line 2); a block must lie wholly inside the other, or apart from it\n"},
    {"overlapping blocks inside a third",
     "hosts:\n"
     "  a: {addresses: 10.0.0.0/8, roles: x}\n"
     "  b: {addresses: 10.0.0.0-10.0.0.9, roles: x}\n"
     "  c: {addresses: [10.0.0.1, 10.0.0.9-10.0.0.10], roles: x}\n",
     "4:29: addresses '10.0.0.9-10.0.0.10' overlap '10.0.0.0-10.0.0.9' of host 'b' (line 3); a block must lie wholly inside the other, or apart from it\n"},
    {"a role twice",
     "hosts:\n"
     "  a: {addresses: 10.0.0.1, roles: [x, y, x]}\n",
     "2:42: duplicate entry 'x'; this list has it already\n"},
    {"roles as a mapping",
     "hosts:\n"
     "  a: {addresses: 10.0.0.1, roles: {x: y}}\n",
     "2:35: a list of names must be a list; write '- ' lines or [a, b]\n"},
    {"roles without a value",
     "hosts:\n"
     "  a:\n"
     "    addresses: 10.0.0.1\n"
     "    roles:\n",
     "4:5: a list of names has no value; write [] for an empty one\n"},
    {"an empty name",
     "hosts: {\"\": {addresses: 10.0.0.1, roles: []}}\n",
     "1:10: a name must not be empty\n"},
    {"a name with a space at its end",
     "hosts: {\"a \": {addresses: 10.0.0.1, roles: []}}\n",
     "1:10: a name must be on one line, without tabs and without spaces at its ends\n"},
    {"a name of two lines",
     "hosts: {\"a\\nb\": {addresses: 10.0.0.1, roles: []}}\n",
     "1:10: a name must be on one line, without tabs and without spaces at its ends\n"},
    {"a long name",
     HOSTS "matrix: " NAME_OF_256 "\n",
     "2:9: this name has 256 bytes; 255 are the most\n"},
    {"an option's value",
     HOSTS "options: {sccp: perhaps}\n",
     "2:17: 'perhaps' is no value of an option; write on, off or both\n"},
    {"an option without a value",
     HOSTS "options: {sccp: }\n",
     "2:11: an option has no value; give one, or leave the key out\n"},
    {"an option twice",
     HOSTS "options: {sccp: on, sip: on, sccp: off}\n",
     "2:30: duplicate option 'sccp'; line 2 has it already\n"},
    {"port 0",
     HOSTS "parameters: {p: 0}\n",
     "2:17: port 0 in '0' does not exist; ports are 1 to 65535\n"},
    {"a port too high",
     HOSTS "parameters: {p: 1-65536}\n",
     "2:17: port 65536 in '1-65536' does not exist; ports are 1 to 65535\n"},
    {"a range of ports backwards",
     HOSTS "parameters: {p: 5020-5000}\n",
     "2:17: port range '5020-5000' runs backwards; did you mean '5000-5020'?\n"},
    {"no port",
     HOSTS "parameters: {p: [80, http]}\n",
     "2:22: 'http' is no port or range of ports; write 1200 or 1201-1204\n"},
    {"a port with a leading zero",
     HOSTS "parameters: {p: 0080}\n",
     "2:17: '0080' is no port or range of ports; write 1200 or 1201-1204\n"},
    {"a parameter with a transport",
     HOSTS "parameters: {p: tcp/80}\n",
     "2:17: 'tcp/80' names a transport, which the rows do; write '80'\n"},
    {"a port twice",
     HOSTS "parameters: {p: [80, 81, 80]}\n",
     "2:26: duplicate port '80'; this list has it already\n"},
    {"a parameter twice",
     HOSTS "parameters: {p: 1, p: 2}\n",
     "2:20: duplicate parameter 'p'; line 2 has it already\n"},
    {"a parameter without a value",
     HOSTS "parameters: {p: }\n",
     "2:14: a port has no value; give one, or leave the key out\n"},
    {"a duration without a unit",
     HOSTS "within: 60\n",
     "2:9: duration '60' has no unit; write '60s', '60m', '60h' or '60d'\n"},
    {"a duration of another unit",
     HOSTS "within: 1w\n",
     "2:9: '1w' is no duration; write 20s, 90m, 1h or 2d\n"},
    {"no time at all",
     HOSTS "within: 0s\n",
     "2:9: a duration must be from 1s to 36500d, and '0s' is not\n"},
    {"a duration too long",
     HOSTS "within: 99999d\n",
     "2:9: a duration must be from 1s to 36500d, and '99999d' is not\n"},
    {"no expectation",
     HOSTS "expect: {r: maybe}\n",
     "2:13: 'maybe' is no expectation; write required or on-demand\n"},
    {"an unknown key in an expectation",
     HOSTS "expect: {r: {wihtin: 1h}}\n",
     "2:14: unknown key 'wihtin' in an expectation; did you mean 'within'?\n"},
    {"servers",
     HOSTS "expect: {r: {servers: all}}\n",
     "2:23: 'all' is neither any nor every; 'servers' is one of these\n"},
    {"a row twice",
     HOSTS "expect: {r: required, r: on-demand}\n",
     "2:23: duplicate row 'r'; line 2 has it already\n"},
    {"ignore without a reason",
     HOSTS "ignore: [{network: 10.0.0.0/8}]\n",
     "2:10: 'reason' is missing in an entry of 'ignore'\n"},
    {"ignore as an address",
     HOSTS "ignore: 10.0.0.0/8\n",
     "2:9: 'ignore' must be a list; write '- ' lines or [a, b]\n"},
    {"a wrong network to ignore",
     HOSTS "ignore:\n"
     "  - {network: 10.0.0.1/8, reason: r}\n",
     "3:15: '10.0.0.1/8' has bits set behind its prefix; did you mean '10.0.0.0/8'?\n"},
    {"an exception without an owner",
     HOSTS "exceptions:\n"
     "  - {id: E1, client: a, server: \"*\", port: tcp/22, reason: r, until: 2027-01-31}\n",
     "3:5: 'owner' is missing in an exception\n"},
    {"an exception without anything",
     HOSTS "exceptions: [{}]\n",
     "2:14: 'id' is missing in an exception\n"
     "2:14: 'client' is missing in an exception\n"
     "2:14: 'server' is missing in an exception\n"
     "2:14: 'owner' is missing in an exception\n"
     "2:14: 'reason' is missing in an exception\n"
     "2:14: 'until' is missing in an exception\n"},
    {"an exception for nobody",
     HOSTS "exceptions:\n"
     "  - {id: E1, client: bb1, server: \"*\", port: tcp/22, owner: N, reason: r, until: 2027-01-31}\n",
     "3:22: unknown host 'bb1'; known: a\n"},
    {"an exception for a slip of a name",
     "hosts: {desks: {addresses: 10.0.0.1, roles: []}}\n"
     "exceptions:\n"
     "  - {id: E1, client: desk, server: \"*\", port: tcp/22, owner: N, reason: r, until: 2027-01-31}\n",
     "3:22: unknown host 'desk'; did you mean 'desks'?\n"},
    {"host bits in an exception",
     HOSTS "exceptions:\n"
     "  - {id: E1, client: a, server: 10.0.0.1/8, port: tcp/22, owner: N, reason: r, until: 2027-01-31}\n",
     "3:33: '10.0.0.1/8' has bits set behind its prefix; did you mean '10.0.0.0/8'?\n"},
    {"a range backwards in an exception",
     HOSTS "exceptions:\n"
     "  - {id: E1, client: 10.0.0.9-10.0.0.1, server: \"*\", port: tcp/22, owner: N, reason: r, until: 2027-01-31}\n",
     "3:22: range '10.0.0.9-10.0.0.1' runs backwards; did you mean '10.0.0.1-10.0.0.9'?\n"},
    {"a port without a number",
     HOSTS "exceptions:\n"
     "  - {id: E1, client: a, server: \"*\", port: tcp/ssh, owner: N, reason: r, until: 2027-01-31}\n",
     "3:44: 'tcp/ssh' is no port or range of ports; write tcp/22, udp/5000-5010 or any\n"},
    {"a port of another transport",
     HOSTS "exceptions:\n"
     "  - {id: E1, client: a, server: \"*\", port: sctp/22, owner: N, reason: r, until: 2027-01-31}\n",
     "3:44: 'sctp' is no transport; write tcp/22, udp/5000-5010 or any\n"},
    {"a day that is not in the calendar",
     HOSTS "exceptions:\n"
     "  - {id: E1, client: a, server: \"*\", port: tcp/22, owner: N, reason: r, until: 2027-02-29}\n",
     "3:80: '2027-02-29' is no date of the calendar; write YYYY-MM-DD\n"},
    {"a date in words",
     HOSTS "exceptions:\n"
     "  - {id: E1, client: a, server: \"*\", port: tcp/22, owner: N, reason: r, until: tomorrow}\n",
     "3:80: 'tomorrow' is no date of the calendar; write YYYY-MM-DD\n"},
    {"an exception's id twice",
     HOSTS "exceptions:\n"
     "  - {id: E1, client: a, server: \"*\", port: tcp/22, owner: N, reason: r, until: 2027-01-31}\n"
     "  - {id: E1, client: a, server: a, owner: N, reason: r, until: 2027-01-31}\n",
     "4:10: duplicate exception 'E1'; line 3 has it already\n"},
    {"an unquoted star",
     HOSTS "exceptions:\n"
     "  - {id: E1, client: a, server: *, port: tcp/22, owner: N, reason: r, until: 2027-01-31}\n",
     "3:34: invalid alias detected; a '*' that is meant as such stands in quotes\n"},
    {"an open bracket",
     "sitte: x\n"
     "hosts:\n"
     "  a: {addresses: [10.0.0.1, roles: []}\n"
     "  b: {adress: 1}\n",
     "1:1: unknown key 'sitte' in a site; did you mean 'site'?\n"
     "3:38: mismatched flow mapping end; the '[' of line 3, column 18 is still open\n"},
    {"an open bracket to the end",
     "hosts: [a, b\n",
     "2:1: flow sequence without a closing bracket; the '[' of line 1, column 8 is still open\n"},
    {"a bracket too many",
     "site: [a]]\n"
     "hosts: {}\n",
     "1:10: flow sequence with invalid extra closing bracket\n"},
    {"a tab",
     "hosts:\n"
     "\ta: {}\n",
     "2:1: tab character may not be used as indentation; indent with spaces\n"},
    {"a dash out of line",
     "hosts:\n"
     "  - a: 1\n"
     "   b: 2\n",
     "2:3: 'hosts' must be a mapping; write 'key: value' lines or {key: value}\n"
     "3:4: did not find expected '-' indicator; does the indentation agree with the lines above?\n"},
    {"indentation",
     "site: x\n"
     "  hosts: y\n",
     "1:7: invalid multiline plain key; does the indentation agree with the lines above, or is a ':' missing?\n"},
    {"a colon in a text",
     "site: it: x\n",
     "1:9: invalid nested block mapping on the same line; quote a text that holds ': '\n"},
    {"an open quote",
     "site: \"x\n",
     "1:8: double-quoted scalar without closing quote; the text ends with the quote that it starts with\n"},
    {"a line without a colon",
     "site: x\n"
     "hosts\n"
     "within: 1h\n",
     "2:1: could not find expected ':'; write 'key: value'\n"},
    {"a bad escape",
     "site: \"\\q\"\n",
     "1:8: invalid escape 'q' in double-quoted string; write a backslash as \\\\ or use single quotes\n"},
    {"an anchor and an alias",
     "site: &x a\n"
     HOSTS "matrix: *x\n",
     "1:8: anchors are not accepted; write the value out where it is used\n"
     "3:10: aliases are not accepted; write the value out\n"},
    {"a tag",
     HOSTS "site: !!str x\n",
     "2:7: tags are not accepted; the key says what its value is\n"},
    {"a key behind a question mark",
     "site: what ? this\n"
     "? hosts\n",
     "2:1: '?' before a key is not accepted; write 'key: value', and a text with ' ? ' without blanks\n"},
    {"a key behind a question mark in brackets",
     "site: [a, ? 8:\t:]\n",
     "1:11: '?' before a key is not accepted; write 'key: value', and a text with ' ? ' without blanks\n"},
    {"an indentation of no columns",
     "site: >0\n"
     " x\n",
     "1:1: indentation indicator 0, here or in what follows; the number behind '|' or '>' is 1 to 9, or left out\n"},
    {"two documents",
     HOSTS "---\n"
     "site: x\n",
     "2:1: a second YAML document starts here; a file holds one\n"},
    {"too deep",
     HOSTS "site: [[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]\n",
     "2:22: nested too deeply; no part of this file needs so many levels\n"},
    {"a control character",
     "site: a\001b\n",
     "1:8: control character U+0001; only printable text is accepted\n"},
    {"an escaped control character",
     "site: \"a\\x1b[2J\"\n"
     HOSTS,
     "1:8: control character in a text; only printable text is accepted\n"},
    {"a turned direction",
     "site: a\342\200\256b\n",
     "1:8: control character U+202E; only printable text is accepted\n"},
    {"a lone carriage return",
     "site: a\rhosts: b\n",
     "1:8: carriage return without a line feed; lines end with LF or CRLF\n"},
    {"not UTF-8",
     "site: \351\n",
     "1:7: byte 0xe9 is not valid UTF-8; the file must be UTF-8 text\n"},
    {"an overlong form",
     "site: \300\257\n",
     "1:7: byte 0xc0 is not valid UTF-8; the file must be UTF-8 text\n"},
    {"half a character",
     "site: \342\202",
     "1:7: byte 0xe2 is not valid UTF-8; the file must be UTF-8 text\n"},
    {"UTF-16",
     "\377\376s\000i\000",
     "1:1: byte 0xff is not valid UTF-8; the file must be UTF-8 text\n"},
    {"columns count characters",
     "site: x\n"
     "options: {\303\251t\303\251: on, sccp: peut-\303\252tre}\n"
     HOSTS,
     "2:26: 'peut-\303\252tre' is no value of an option; write on, off or both\n"},
    {"a byte order mark takes no column",
     "\357\273\277sitte: x\n"
     HOSTS,
     "1:1: unknown key 'sitte' in a site; did you mean 'site'?\n"},
    {"lines that end with CRLF",
     "hosts: {a: {addresses: 10.0.0.1, roles: []}}\r\n"
     "sitte: x\r\n",
     "2:1: unknown key 'sitte' in a site; did you mean 'site'?\n"},
};

START_TEST(an_error_has_its_place_and_says_what_would_be_right)
{
    char *errors = site_errors(bad[_i].text, strlen(bad[_i].text));

    ck_assert_msg(strcmp(errors, bad[_i].errors) == 0, "%s: expected\n%sgot\n%s", bad[_i].name, bad[_i].errors, errors);
    free(errors);
}
END_TEST

START_TEST(errors_are_printed_with_their_line_and_a_caret)
{
    const char       text[] = "site: x\nhosts:\n  dc1: {addresses: [10.1.1.999], rolls: [dc]}\n";
    struct diag_list list = {0};
    struct site     *site;
    char            *out = NULL;
    size_t           size;

    ck_assert_int_eq(site_parse(text, strlen(text), "site.yaml", &site, &list), -EINVAL);
    FILE *f = open_memstream(&out, &size);
    diag_print(&list, f);
    fclose(f);
    ck_assert_str_eq(out, "site.yaml:3:21: error: '10.1.1.999' is not an address or network; write 10.0.0.1, 10.0.0.0/24, "
                          "10.0.0.1-10.0.0.9, or the like in IPv6\n"
                          "      dc1: {addresses: [10.1.1.999], rolls: [dc]}\n"
                          "                        ^~~~~~~~~~\n"
                          "site.yaml:3:34: error: unknown key 'rolls' in a host; did you mean 'roles'?\n"
                          "      dc1: {addresses: [10.1.1.999], rolls: [dc]}\n"
                          "                                     ^~~~~\n");
    free(out);
    diag_list_clear(&list);
}
END_TEST

/* The whole of what a site can say. */
static const char full[] =
    "site: Example HQ\n"
    "matrix: cisco-unity-5x-exchange\n"
    "options: {failover: on, sccp: Yes, sccp_tls: both, sip: no, https: true}\n"
    "parameters: {dcom_ports: 5000-5020, exchange_static_ports: [1200, 1201-1204], viewmail_ports: [], ucm_release: 6.1, sip_port: 5061}\n"
    "hosts:\n"
    "  unity1: {addresses: [10.20.1.10], roles: [unity-primary]}\n"
    "  dc1: {addresses: [10.20.2.10, \"fd00:20::2:10\"], roles: [dc-monitored, dns]}\n"
    "  phones: {addresses: 10.20.9.0/24, roles: phone}\n"
    "  printer: {addresses: 10.20.9.7, roles: []}\n"
    "within: 90m\n"
    "expect:\n"
    "  unity-dc-ntp: {within: 2h, servers: every}\n"
    "  unity-dns: {servers: any, expect: required}\n"
    "  snmp-unity: on-demand\n"
    "ignore:\n"
    "  - {network: 10.20.99.0/24, reason: out-of-band management}\n"
    "exceptions:\n"
    "  - {id: EX-1, client: phones, server: unity1, port: tcp/22, owner: N. N., reason: migration, until: 2027-01-31}\n"
    "  - {id: EX-2, client: \"*\", server: 10.20.2.0/24, owner: N. N., reason: scan, until: 2028-02-29}\n"
    "  - {id: EX-3, client: 10.0.0.1, server: dc1, port: 5000-5010, owner: N. N., reason: test, until: 9999-12-31}\n";

START_TEST(every_key_of_a_site_is_read)
{
    struct site *s = good_site(full);

    ck_assert_str_eq(s->name, "Example HQ");
    ck_assert_str_eq(s->matrix.text, "cisco-unity-5x-exchange");
    ck_assert_uint_eq(s->matrix.place.line, 2);
    ck_assert_uint_eq(s->matrix.place.column, 9);
    ck_assert_uint_eq(s->matrix.place.width, 23);
    ck_assert(s->within_ns == 90LL * 60 * 1000000000);
    ck_assert_uint_eq(s->n_hosts, 4);
    ck_assert_str_eq(s->hosts[1].name.text, "dc1");
    ck_assert_uint_eq(s->hosts[1].n_ranges, 2);
    ck_assert_uint_eq(s->hosts[1].range_places[1].column, 34);
    ck_assert_uint_eq(s->hosts[1].roles.n, 2);
    ck_assert_str_eq(s->hosts[2].roles.items[0].text, "phone");
    ck_assert_uint_eq(s->hosts[3].roles.n, 0);
    ck_assert_uint_eq(s->n_ignores, 1);
    ck_assert_str_eq(s->ignores[0].reason, "out-of-band management");
    ck_assert_str_eq(s->file, "t.yaml");
    ck_assert_str_eq(s->text, full);
    site_free(s);
}
END_TEST

START_TEST(options_are_words_of_one_kind_and_parameters_keep_both_readings)
{
    struct site *s = good_site(full);
    const char  *values[] = {"on", "on", "both", "off", "on"};

    ck_assert_uint_eq(s->n_options, 5);
    for (size_t i = 0; i < 5; i++)
        ck_assert_str_eq(s->options[i].value.text, values[i]);
    ck_assert_uint_eq(s->n_parameters, 5);
    ck_assert_uint_eq(s->parameters[0].ports.n, 1);
    ck_assert_uint_eq(s->parameters[0].ports.items[0].high, 5020);
    ck_assert_uint_eq(s->parameters[1].ports.n, 2);
    ck_assert_uint_eq(s->parameters[1].ports.items[1].low, 1201);
    ck_assert_uint_eq(s->parameters[2].ports.n, 0);
    ck_assert_str_eq(s->parameters[3].value.text, "6.1");
    ck_assert_uint_eq(s->parameters[3].ports.n, 0);
    ck_assert_str_eq(s->parameters[4].value.text, "5061");
    ck_assert_uint_eq(s->parameters[4].ports.items[0].low, 5061);
    site_free(s);
}
END_TEST

START_TEST(expectations_say_only_what_they_say)
{
    struct site *s = good_site(full);

    ck_assert_uint_eq(s->n_expects, 3);
    ck_assert(s->expects[0].expect == RULES_EXPECT_UNSET && s->expects[0].within_ns == 7200LL * 1000000000 && s->expects[0].every == 1);
    ck_assert(s->expects[1].expect == RULES_EXPECT_REQUIRED && s->expects[1].within_ns == -1 && s->expects[1].every == 0);
    ck_assert(s->expects[2].expect == RULES_EXPECT_ON_DEMAND && s->expects[2].every == -1);
    site_free(s);
}
END_TEST

START_TEST(exceptions_name_hosts_or_blocks_and_end_with_their_day)
{
    struct site                 *s = good_site(full);
    const struct site_exception *x = s->exceptions;

    ck_assert_uint_eq(s->n_exceptions, 3);
    ck_assert(!x[0].client_is_range && !x[0].client_any && !x[0].any_port);
    ck_assert(x[0].port.transport == IPPROTO_TCP && x[0].port.low == 22 && x[0].port.high == 22);
    ck_assert(x[0].until_ns == 1801439999999999999LL); /* date -d '2027-01-31 23:59:59 UTC' +%s */
    ck_assert(x[1].client_any && x[1].server_is_range && x[1].any_port);
    ck_assert(x[1].until_ns == 1835481599999999999LL);
    ck_assert(x[2].client_is_range && !x[2].server_is_range && x[2].port.transport == 0 && x[2].port.high == 5010);
    ck_assert(x[2].until_ns == INT64_MAX);
    site_free(s);
}
END_TEST

START_TEST(a_site_of_hosts_alone_has_the_defaults)
{
    struct site *s = good_site("hosts: {a: {addresses: 10.0.0.1, roles: b}}");

    ck_assert_str_eq(s->name, "");
    ck_assert_str_eq(s->matrix.text, "default");
    ck_assert_uint_eq(s->matrix.place.line, 0);
    ck_assert(s->within_ns == 3600LL * 1000000000);
    site_free(s);
    site_free(good_site("hosts: {a: {addresses: 10.0.0.1, roles: []}}\noptions:\nexpect: ~\nignore:\nexceptions: []\n"));
    site_free(NULL);
}
END_TEST

START_TEST(a_more_specific_block_inside_a_wider_one_is_no_error)
{
    site_free(good_site("hosts:\n"
                        "  all: {addresses: [0.0.0.0/0, \"::/0\"], roles: []}\n"
                        "  net: {addresses: 10.0.0.0/8, roles: []}\n"
                        "  low: {addresses: 10.0.0.0/24, roles: []}\n"
                        "  one: {addresses: [10.0.0.0, 10.255.255.255, 10.0.0.255], roles: []}\n"
                        "  range: {addresses: 10.0.0.1-10.0.0.9, roles: []}\n"
                        "  next: {addresses: 10.0.0.10-10.0.0.19, roles: []}\n"
                        "  six: {addresses: \"fd00::/8\", roles: []}\n"));
}
END_TEST

/* The clever sweep against asking each pair. */
static bool pairs_agree(const uint8_t (*blocks)[2], size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) {
            const uint8_t *a = blocks[i], *b = blocks[j];
            bool apart = a[1] < b[0] || b[1] < a[0];
            bool same = a[0] == b[0] && a[1] == b[1];
            bool nested = (a[0] <= b[0] && b[1] <= a[1]) || (b[0] <= a[0] && a[1] <= b[1]);

            if (!apart && (same || !nested))
                return false;
        }
    return true;
}

START_TEST(overlaps_are_found_as_a_comparison_of_all_pairs_finds_them)
{
    unsigned seed = 12345u + (unsigned)_i, n_good = 0;

    for (int round = 0; round < 300; round++) {
        uint8_t blocks[6][2];
        char    text[1000] = "hosts:\n";
        size_t  n = 2 + (size_t)(rand_r(&seed) % 5);

        for (size_t i = 0; i < n; i++) {
            int a = rand_r(&seed) % 24, b = rand_r(&seed) % 24;
            blocks[i][0] = (uint8_t)(a < b ? a : b);
            blocks[i][1] = (uint8_t)(a < b ? b : a);
            size_t len = strlen(text);
            snprintf(text + len, sizeof(text) - len, "  h%zu: {addresses: 10.0.0.%u-10.0.0.%u, roles: []}\n", i, blocks[i][0], blocks[i][1]);
        }
        char *errors = site_errors(text, strlen(text));
        bool  good = pairs_agree((const uint8_t(*)[2])blocks, n);
        ck_assert_msg((*errors == '\0') == good, "round %d, seed %d:\n%s%s", round, _i, text, errors);
        n_good += good;
        free(errors);
    }
    ck_assert_uint_gt(n_good, 5);
}
END_TEST

START_TEST(the_digest_is_that_of_the_file)
{
    struct site *s = good_site("hosts: {a: {addresses: 10.0.0.1, roles: []}}\n");

    ck_assert_str_eq(s->sha256, "13de09d20db42b8b44696f33d8d76667305e7b407415580f257336f3e4db4a13");
    site_free(s);
}
END_TEST

START_TEST(only_so_many_errors_are_listed_and_the_rest_are_counted)
{
    size_t           size;
    char            *text = NULL;
    struct diag_list list = {0};
    struct site     *site;
    FILE            *f = open_memstream(&text, &size);

    fputs("hosts:\n", f);
    for (unsigned i = 0; i < RULES_MAX_ERRORS + 7; i++)
        fprintf(f, "  h%u: {addresses: x, roles: []}\n", i);
    fclose(f);
    ck_assert_int_eq(site_parse(text, size, "t.yaml", &site, &list), -EINVAL);
    ck_assert_uint_eq(list.n_items, RULES_MAX_ERRORS + 1);
    ck_assert_str_eq(list.items[RULES_MAX_ERRORS].message, "7 more errors are not listed");
    diag_list_clear(&list);
    free(text);
}
END_TEST

START_TEST(a_line_that_is_too_long_is_an_error)
{
    size_t size = RULES_MAX_LINE + 100;
    char  *text = malloc(size);

    memset(text, 'x', size);
    char *errors = site_errors(text, size);
    ck_assert_str_eq(errors, "1:1: this line has more than 1048576 bytes; write one entry on a line\n");
    free(errors);
    free(text);
}
END_TEST

START_TEST(no_prefix_and_no_changed_byte_of_a_site_breaks_the_parser)
{
    char text[sizeof(full)];

    for (size_t i = 0; i < strlen(full); i++)
        free(site_errors(full, i));
    for (size_t i = 0; i < strlen(full); i++) {
        static const char bytes[] = "\"'{}[]:,-#&*!|>%@`\n\t \x80";

        memcpy(text, full, sizeof(full));
        text[i] = bytes[(i * 7 + (size_t)_i) % (sizeof(bytes) - 1)];
        free(site_errors(text, strlen(full)));
    }
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_an_error_without_a_line)
{
    struct diag_list list = {0};
    struct site     *site = NULL;

    ck_assert_int_eq(site_load(TEST_SOURCE_ROOT "/no/such/file.yaml", &site, &list), -ENOENT);
    ck_assert_uint_eq(list.items[0].line, 0);
    ck_assert_str_eq(list.items[0].message, "cannot be read: No such file or directory");
    diag_list_clear(&list);
    ck_assert_int_eq(site_load(TEST_SOURCE_ROOT, &site, &list), -EISDIR);
    ck_assert_uint_eq(diag_count(&list, DIAG_ERROR), 1);
    diag_list_clear(&list);
    ck_assert_ptr_null(site);
}
END_TEST

Suite *suite_rules_site(void);
Suite *suite_rules_site(void)
{
    Suite *s = suite_create("rules: sites");
    TCase *t = tcase_create("sites");

    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, an_error_has_its_place_and_says_what_would_be_right, 0, sizeof(bad) / sizeof(bad[0]));
    tcase_add_test(t, errors_are_printed_with_their_line_and_a_caret);
    tcase_add_test(t, every_key_of_a_site_is_read);
    tcase_add_test(t, options_are_words_of_one_kind_and_parameters_keep_both_readings);
    tcase_add_test(t, expectations_say_only_what_they_say);
    tcase_add_test(t, exceptions_name_hosts_or_blocks_and_end_with_their_day);
    tcase_add_test(t, a_site_of_hosts_alone_has_the_defaults);
    tcase_add_test(t, a_more_specific_block_inside_a_wider_one_is_no_error);
    tcase_add_loop_test(t, overlaps_are_found_as_a_comparison_of_all_pairs_finds_them, 0, 3);
    tcase_add_test(t, the_digest_is_that_of_the_file);
    tcase_add_test(t, only_so_many_errors_are_listed_and_the_rest_are_counted);
    tcase_add_test(t, a_line_that_is_too_long_is_an_error);
    tcase_add_loop_test(t, no_prefix_and_no_changed_byte_of_a_site_breaks_the_parser, 0, 3);
    tcase_add_test(t, a_file_that_cannot_be_read_is_an_error_without_a_line);
    suite_add_tcase(s, t);
    return s;
}
