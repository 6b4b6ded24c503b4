/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of single values: ports, durations, dates, versions, addresses. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

/* Decimal digits without leading zeros, up to 'most'.  Returns what follows, or NULL. */
static const char *read_number(const char *s, unsigned long most, unsigned long *ret)
{
    unsigned long value = 0;
    const char *start = s;

    for (; *s >= '0' && *s <= '9'; s++) {
        value = value * 10 + (unsigned long)(*s - '0');
        if (value > most || (s > start && *start == '0'))
            return NULL;
    }
    if (s == start)
        return NULL;
    *ret = value;
    return s;
}

/* --- ports -------------------------------------------------------------------------------------- */

void port_text(const struct rules_port *port, char *buf, size_t size)
{
    const char *transport = port->transport == IPPROTO_TCP ? "tcp/" : port->transport == IPPROTO_UDP ? "udp/" : "";

    if (port->parameter != NULL)
        snprintf(buf, size, "%s{%s}", transport, port->parameter);
    else if (port->low == port->high)
        snprintf(buf, size, "%s%u", transport, port->low);
    else
        snprintf(buf, size, "%s%u-%u", transport, port->low, port->high);
}

static const char *port_forms(enum port_form form)
{
    static const char *const forms[] = {
        [PORT_OF_ROW] = "write tcp/88, udp/5000-5020 or tcp/{parameter}",
        [PORT_OF_PARAMETER] = "write 1200 or 1201-1204",
        [PORT_OF_EXCEPTION] = "write tcp/22, udp/5000-5010 or any",
    };
    return forms[form];
}

/* "88" or "5000-5020". */
static bool read_port_numbers(struct parse *p, const struct node *n, enum port_form form, const char *text,
                              struct rules_port *ret)
{
    unsigned long low, high;
    const char *rest = read_number(text, 999999999, &low);

    high = low = rest != NULL ? low : 0;
    if (rest != NULL && *rest == '-')
        rest = read_number(rest + 1, 999999999, &high);
    if (rest == NULL || *rest != '\0') {
        parse_error(p, n, "'%.100s' is no port or range of ports; %s", n->text, port_forms(form));
        return false;
    }
    if (low == 0 || high == 0 || low > UINT16_MAX || high > UINT16_MAX) {
        parse_error(p, n, "port %lu in '%.100s' does not exist; ports are 1 to 65535",
                    low == 0 || low > UINT16_MAX ? low : high, n->text);
        return false;
    }
    if (low > high) {
        parse_error(p, n, "port range '%.100s' runs backwards; did you mean '%.*s%lu-%lu'?", n->text,
                    (int)(text - n->text), n->text, high, low);
        return false;
    }
    ret->low = (uint16_t)low;
    ret->high = (uint16_t)high;
    return true;
}

static bool read_parameter_name(struct parse *p, const struct node *n, const char *text, struct rules_port *ret)
{
    size_t len = strlen(text);

    if (len < 3 || text[len - 1] != '}' || memchr(text + 1, '{', len - 1) != NULL ||
        memchr(text, '}', len - 1) != NULL) {
        parse_error(p, n, "'%.100s' names no parameter; write tcp/{parameter}", n->text);
        return false;
    }
    ret->parameter = arena_text(p->arena, text + 1, len - 2);
    p->out_of_memory |= ret->parameter == NULL;
    return ret->parameter != NULL;
}

static bool read_transport(struct parse *p, const struct node *n, enum port_form form, const char **text,
                           struct rules_port *ret)
{
    const char *slash = strchr(n->text, '/');

    *text = n->text;
    if (slash == NULL && form == PORT_OF_ROW && n->text[0] >= '0' && n->text[0] <= '9') {
        parse_error(p, n, "port '%.100s' has no transport; write 'tcp/%.100s' or 'udp/%.100s'", n->text, n->text,
                    n->text);
        return false;
    }
    if (slash == NULL)
        return true;
    size_t len = (size_t)(slash - n->text);
    if (form == PORT_OF_PARAMETER) {
        parse_error(p, n, "'%.100s' names a transport, which the rows do; write '%.100s'", n->text, slash + 1);
        return false;
    }
    if (len == 3 && memcmp(n->text, "tcp", 3) == 0) {
        ret->transport = IPPROTO_TCP;
    } else if (len == 3 && memcmp(n->text, "udp", 3) == 0) {
        ret->transport = IPPROTO_UDP;
    } else {
        parse_error(p, n, "'%.*s' is no transport; %s", (int)(len < 100 ? len : 100), n->text, port_forms(form));
        return false;
    }
    *text = slash + 1;
    return true;
}

bool read_port(struct parse *p, const struct node *n, enum port_form form, struct rules_port *ret)
{
    const char *text;

    *ret = (struct rules_port){.place = node_place(p, n)};
    if (!expect_scalar(p, n, "a port") || !read_transport(p, n, form, &text, ret))
        return false;
    if (form == PORT_OF_ROW && text != n->text && *text == '{')
        return read_parameter_name(p, n, text, ret);
    return read_port_numbers(p, n, form, text, ret);
}

static int compare_ports(const void *a, const void *b)
{
    const struct rules_port *x = *(const struct rules_port *const *)a, *y = *(const struct rules_port *const *)b;

    if (x->transport != y->transport)
        return x->transport < y->transport ? -1 : 1;
    if (x->low != y->low)
        return x->low < y->low ? -1 : 1;
    if (x->high != y->high)
        return x->high < y->high ? -1 : 1;
    int c = strcmp(x->parameter != NULL ? x->parameter : "", y->parameter != NULL ? y->parameter : "");
    return c != 0 ? c : x < y ? -1 : x > y;
}

bool port_same(const struct rules_port *x, const struct rules_port *y)
{
    return x->transport == y->transport && x->low == y->low && x->high == y->high &&
           strcmp(x->parameter != NULL ? x->parameter : "", y->parameter != NULL ? y->parameter : "") == 0;
}

static void check_different(struct parse *p, const struct rules_ports *ports)
{
    const struct rules_port **sorted =
        ports->n > 1 ? parse_scratch(p, ports->n, sizeof(const struct rules_port *)) : NULL;
    char text[RULES_MAX_NAME + 16];

    if (sorted == NULL)
        return;
    for (size_t i = 0; i < ports->n; i++)
        sorted[i] = &ports->items[i];
    qsort(sorted, ports->n, sizeof(const struct rules_port *), compare_ports);
    for (size_t i = 1; i < ports->n; i++)
        if (port_same(sorted[i - 1], sorted[i])) {
            port_text(sorted[i], text, sizeof(text));
            parse_error_at(p, &sorted[i]->place, "duplicate port '%s'; this list has it already", text);
        }
}

void read_port_list(struct parse *p, const struct node *n, enum port_form form, struct rules_ports *ret)
{
    size_t count = 1, i = 0;
    const struct node *child = n;

    if (n->kind != NODE_SCALAR) {
        if (!expect_sequence(p, n, "ports", &count) || count == 0)
            return;
        child = node_first(p, n);
    }
    struct rules_port *items = parse_alloc(p, count, sizeof(*items));
    for (; items != NULL && child != NULL; child = n->kind != NODE_SCALAR ? node_next(p, child) : NULL)
        i += read_port(p, child, form, &items[i]);
    *ret = (struct rules_ports){.items = items, .n = i};
    check_different(p, ret);
}

void read_row_ports(struct parse *p, const struct node *n, void *field)
{
    read_port_list(p, n, PORT_OF_ROW, field);
}

void read_parameter_ports(struct parse *p, const struct node *n, void *field)
{
    read_port_list(p, n, PORT_OF_PARAMETER, field);
}

/* --- times -------------------------------------------------------------------------------------- */

void read_duration(struct parse *p, const struct node *n, void *field)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    const int64_t longest = 36500LL * 86400;
    unsigned long count;

    if (!expect_scalar(p, n, "a duration"))
        return;
    const char *rest = read_number(n->text, (unsigned long)longest, &count);
    for (size_t i = 0; rest != NULL && i < sizeof(units) / sizeof(units[0]); i++) {
        if (rest[0] != units[i].unit || rest[1] != '\0')
            continue;
        if (count == 0 || (int64_t)count > longest / units[i].seconds)
            parse_error(p, n, "a duration must be from 1s to 36500d, and '%.100s' is not", n->text);
        else
            *(int64_t *)field = (int64_t)count * units[i].seconds * 1000000000;
        return;
    }
    if (rest != NULL && *rest == '\0')
        parse_error(p, n, "duration '%s' has no unit; write '%ss', '%sm', '%sh' or '%sd'", n->text, n->text, n->text,
                    n->text, n->text);
    else
        parse_error(p, n, "'%.100s' is no duration; write 20s, 90m, 1h or 2d", n->text);
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar: whole years, then whole months. */
static int64_t days_since_epoch(unsigned year, unsigned month, unsigned day)
{
    int64_t y = (int64_t)year - 1, days = y * 365 + y / 4 - y / 100 + y / 400 - 719162;

    for (unsigned m = 1; m < month; m++)
        days += days_in_month(year, m);
    return days + (int64_t)day - 1;
}

bool form_date(const char *text, int64_t *ret_ns)
{
    static const char shape[] = "dddd-dd-dd";
    const int64_t day_ns = 86400LL * 1000000000;

    for (size_t i = 0; i < sizeof(shape); i++)
        if (shape[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
            return false;
    unsigned year = (unsigned)((text[0] - '0') * 1000 + (text[1] - '0') * 100 + (text[2] - '0') * 10 + text[3] - '0');
    unsigned month = (unsigned)((text[5] - '0') * 10 + text[6] - '0'),
             day = (unsigned)((text[8] - '0') * 10 + text[9] - '0');
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    int64_t days = days_since_epoch(year, month, day) + 1;
    *ret_ns = days > INT64_MAX / day_ns ? INT64_MAX : days * day_ns - 1; /* from 2262 on: never */
    return true;
}

bool form_version(const char *text)
{
    unsigned long part;

    for (unsigned n = 0; n < 8; n++) {
        text = read_number(text, 999999, &part);
        if (text == NULL || (*text != '.' && *text != '\0'))
            return false;
        if (*text++ == '\0')
            return true;
    }
    return false;
}

/* --- addresses ---------------------------------------------------------------------------------- */

static void report_range(struct parse *p, const struct node *n)
{
    const char *dash = strchr(n->text, '-');
    char swapped[2 * ADDR_TEXT_SIZE + 2];
    struct addr_range ignored;

    if (strchr(n->text, '/') != NULL) {
        parse_error(p, n, "the prefix of '%.100s' is too long; 32 is the longest for IPv4, 128 for IPv6", n->text);
        return;
    }
    if (dash != NULL) {
        snprintf(swapped, sizeof(swapped), "%s-%.*s", dash + 1, (int)(dash - n->text), n->text);
        if (addr_range_parse(swapped, &ignored) == 0) {
            parse_error(p, n, "range '%.100s' runs backwards; did you mean '%s'?", n->text, swapped);
            return;
        }
    }
    parse_error(p, n, "range '%.100s' mixes IPv4 and IPv6; write one range for each", n->text);
}

bool read_range(struct parse *p, const struct node *n, struct addr_range *ret)
{
    char text[2 * ADDR_TEXT_SIZE];

    if (!expect_scalar(p, n, "an address"))
        return false;
    switch (addr_range_parse(n->text, ret)) {
    case 0:
        return true;
    case -EDOM:
        parse_error(p, n, "'%.100s' has bits set behind its prefix; did you mean '%s'?", n->text,
                    addr_range_text(ret, text, sizeof(text)));
        return false;
    case -ERANGE:
        report_range(p, n);
        return false;
    default:
        parse_error(p, n,
                    "'%.100s' is not an address or network; write 10.0.0.1, 10.0.0.0/24, 10.0.0.1-10.0.0.9, or the "
                    "like in IPv6",
                    n->text);
        return false;
    }
}
