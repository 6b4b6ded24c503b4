/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pcapng (draft-ietf-opsawg-pcapng), versions 1.0 and 1.2.
 *
 * Frames come from Enhanced, Simple and the obsolete Packet Blocks.  Of Interface Statistics Blocks the drop counts are
 * read; every other block is passed over, whatever its size.  A section has its own byte order and its own interfaces;
 * interfaces are numbered on over the sections.  A block whose two lengths differ, or that contradicts itself, ends the
 * reading.
 *
 * An Option list is read as far as it is sound; only in an Interface Description Block, where the time's unit may hide
 * in it, an unsound one is damage.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "capture-private.h"
#include "pcapng_time.h"

#define BLOCK_SECTION            0x0a0d0d0au
#define BLOCK_INTERFACE          1u
#define BLOCK_PACKET             2u
#define BLOCK_SIMPLE_PACKET      3u
#define BLOCK_STATISTICS         5u
#define BLOCK_ENHANCED_PACKET    6u
#define BYTE_ORDER_MAGIC         0x1a2b3c4du
#define BLOCK_HEADER_SIZE        8
#define BLOCK_MIN_SIZE           12 /* type, length, length again */
#define OPTION_TSRESOL           9
#define OPTION_TSOFFSET          14
#define OPTION_PACKET_DROPCOUNT  4
#define OPTION_STATISTICS_IFDROP 5
#define OPTION_STATISTICS_OSDROP 7
#define MAX_INTERFACES           65535u
#define MAX_HELD_BLOCK           ((uint32_t)1 << 20) /* blocks of no interest beyond this are passed over in pieces */
#define MAX_DROPS                ((uint64_t)1 << 47) /* so that no sum over all interfaces overflows */

struct interface {
    uint16_t linktype;
    uint32_t snaplen, max_caplen;
    struct pcapng_clock clock;
    uint64_t drops_total;   /* of its last statistics block */
    uint64_t drops_between; /* sum over the packets' own counts */
    uint64_t drops_counted; /* of this interface in capture_stats */
};

struct pcapng_reader {
    bool swapped;
    bool bad_version;
    struct interface *interfaces; /* of all sections */
    uint32_t n_interfaces, n_allocated;
    uint32_t section_first; /* first interface of this section */
    uint64_t skip_left;     /* of a long block that is being passed over, up to its second length */
    uint32_t skip_size;     /* total length of that block, 0 = none */
    uint64_t skip_offset;
};

struct block {
    const uint8_t *body, *end; /* without the second length */
    uint32_t type, size;
};

struct packet_block {
    struct interface *interface;
    const uint8_t *data;
    const uint8_t *options;
    uint32_t caplen, wirelen;
    uint64_t ticks;
    bool has_time, has_drops;
    uint64_t drops;
};

struct option {
    uint16_t code, size;
    const uint8_t *value;
};

/* false: the list is over, or ('ret_sound') its next option is longer than what is left of the block. */
static bool next_option(const uint8_t **at, const uint8_t *end, bool swapped, struct option *ret, bool *ret_sound)
{
    size_t left = (size_t)(end - *at);

    *ret_sound = true;
    if (left < 4)
        return false;
    ret->code = get16(*at, swapped);
    ret->size = get16(*at + 2, swapped);
    ret->value = *at + 4;
    if (ret->code == 0)
        return false;
    size_t padded = ((size_t)ret->size + 3) & ~(size_t)3;
    if (padded > left - 4) {
        *ret_sound = false;
        return false;
    }
    *at += 4 + padded;
    return true;
}

static void count_drops(struct capture *c, struct interface *i)
{
    uint64_t drops = i->drops_total > i->drops_between ? i->drops_total : i->drops_between;

    if (drops > MAX_DROPS)
        drops = MAX_DROPS;
    c->stats.n_stated_drops += drops - i->drops_counted;
    c->stats.has_stated_drops = true;
    i->drops_counted = drops;
}

static uint64_t add_drops(uint64_t a, uint64_t b)
{
    a = a < MAX_DROPS ? a : MAX_DROPS;
    b = b < MAX_DROPS ? b : MAX_DROPS;
    return a + b;
}

static struct interface *find_interface(const struct pcapng_reader *p, uint32_t id)
{
    return id < p->n_interfaces - p->section_first ? &p->interfaces[p->section_first + id] : NULL;
}

/* The fixed part of a packet block.  NULL, or what is wrong with it. */
static const char *parse_fixed(const struct pcapng_reader *p, const struct block *b, struct packet_block *ret)
{
    const uint8_t *at = b->body;
    size_t size = (size_t)(b->end - at);
    bool swapped = p->swapped, simple = b->type == BLOCK_SIMPLE_PACKET;

    *ret = (struct packet_block){0};
    if (size < (simple ? 4u : 20u))
        return "is too short for its fixed fields";
    if (b->type == BLOCK_PACKET) {
        ret->interface = find_interface(p, get16(at, swapped));
        ret->drops = get16(at + 2, swapped);
        ret->has_drops = ret->drops != 0xffff; /* the value for "not known" */
    } else {
        ret->interface = find_interface(p, simple ? 0 : get32(at, swapped));
    }
    if (ret->interface == NULL)
        return "names an interface that the section has not described";
    if (simple) {
        ret->wirelen = ret->caplen = get32(at, swapped);
        if (ret->interface->snaplen > 0 && ret->caplen > ret->interface->snaplen)
            ret->caplen = ret->interface->snaplen;
        ret->data = at + 4;
        return NULL;
    }
    ret->has_time = true;
    ret->ticks = (uint64_t)get32(at + 4, swapped) << 32 | get32(at + 8, swapped);
    ret->caplen = get32(at + 12, swapped);
    ret->wirelen = get32(at + 16, swapped);
    ret->data = at + 20;
    return NULL;
}

static const char *parse_packet(const struct pcapng_reader *p, const struct block *b, struct packet_block *ret)
{
    const char *fault = parse_fixed(p, b, ret);

    if (fault != NULL)
        return fault;
    size_t room = (size_t)(b->end - ret->data);
    if (ret->caplen > ret->interface->max_caplen)
        return "claims more captured bytes than are possible with its snap length";
    if (ret->caplen > room)
        return "claims more captured bytes than it has";
    size_t padded = ((size_t)ret->caplen + 3) & ~(size_t)3;
    ret->options = ret->data + (padded < room ? padded : room);
    return NULL;
}

static void read_packet_options(const struct pcapng_reader *p, const struct block *b, struct packet_block *packet)
{
    const uint8_t *at = packet->options;
    struct option o;
    bool sound;

    if (b->type != BLOCK_ENHANCED_PACKET)
        return;
    while (next_option(&at, b->end, p->swapped, &o, &sound)) {
        if (o.code == OPTION_PACKET_DROPCOUNT && o.size == 8) {
            packet->drops = get64(o.value, p->swapped);
            packet->has_drops = true;
        }
    }
}

static void put_frame(struct capture *c, const struct block *b, struct packet_block *packet, struct frame *f)
{
    const struct pcapng_reader *p = c->reader;
    struct interface *i = packet->interface;
    int64_t ts_ns;

    capture_frame(c, f, packet->data, packet->caplen, packet->wirelen);
    if (packet->has_time && pcapng_clock_ns(&i->clock, packet->ticks, &ts_ns))
        capture_frame_time(c, f, ts_ns);
    else
        capture_frame_no_time(c, f);
    f->linktype = i->linktype;
    f->interface_id = (uint16_t)(i - p->interfaces);
    if (p->swapped)
        linktype_swap_header(i->linktype, c->window.buf + (packet->data - c->window.buf), packet->caplen);
    if (packet->options < b->end)
        read_packet_options(p, b, packet);
    if (packet->has_drops) {
        i->drops_between = add_drops(i->drops_between, packet->drops);
        count_drops(c, i);
    }
}

static bool is_packet(uint32_t type)
{
    return type == BLOCK_ENHANCED_PACKET || type == BLOCK_SIMPLE_PACKET || type == BLOCK_PACKET;
}

/* The block at the window's position, if it lies there whole and its two lengths agree. */
static bool look(const struct capture *c, struct block *ret)
{
    const struct pcapng_reader *p = c->reader;
    const struct window *w = &c->window;

    if (window_left(w) < BLOCK_MIN_SIZE)
        return false;
    const uint8_t *at = window_at(w);
    ret->type = get32(at, p->swapped);
    ret->size = get32(at + 4, p->swapped);
    if (ret->size < BLOCK_MIN_SIZE || ret->size % 4 != 0 || ret->size > window_left(w))
        return false;
    ret->body = at + BLOCK_HEADER_SIZE;
    ret->end = at + ret->size - 4;
    return get32(ret->end, p->swapped) == ret->size;
}

/* The frames of packet blocks that follow one another, whole and sound, in the window. */
static size_t take(struct capture *c, struct frame *ret, size_t n)
{
    const struct pcapng_reader *p = c->reader;
    struct packet_block packet;
    struct block b;
    size_t got = 0;

    while (got < n && p->skip_size == 0 && look(c, &b) && is_packet(b.type) && parse_packet(p, &b, &packet) == NULL) {
        put_frame(c, &b, &packet, &ret[got++]);
        c->window.pos += b.size;
    }
    return got;
}

enum step {
    STEP_END = 0,
    STEP_PACKET, /* take() will find a frame */
    STEP_ON,     /* the block is done with */
};

__attribute__((format(printf, 3, 4))) static int fault(struct capture *c, const struct block *b, const char *fmt, ...)
{
    char why[128]; /* a clause of our own */
    va_list args;

    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    uint64_t offset = window_offset(&c->window);
    capture_damage(c, offset, "malformed: pcapng block of type 0x%08X at byte %llu, after packet record %llu, %s", b->type,
                   (unsigned long long)offset, (unsigned long long)c->stats.n_packets, why);
    return STEP_END;
}

static int begin_section(struct capture *c, const struct block *b)
{
    struct pcapng_reader *p = c->reader;

    if (b->end - b->body < 16)
        return fault(c, b, "is too short for a section header");
    unsigned major = get16(b->body + 4, p->swapped), minor = get16(b->body + 6, p->swapped);
    if (major != 1 || (minor != 0 && minor != 2)) {
        p->bad_version = true;
        return fault(c, b, "has the pcapng version %u.%u; 1.0 and 1.2 are read", major, minor);
    }
    p->section_first = p->n_interfaces;
    return STEP_ON;
}

static int reserve_interface(struct pcapng_reader *p, struct err *reterr)
{
    if (p->n_interfaces < p->n_allocated)
        return 0;
    uint32_t n = p->n_allocated == 0 ? 4 : p->n_allocated * 2;
    struct interface *interfaces = realloc(p->interfaces, n * sizeof(*interfaces));
    if (interfaces == NULL)
        return err_set(reterr, -ENOMEM, "no memory for %u interfaces", n);
    p->interfaces = interfaces;
    p->n_allocated = n;
    return 0;
}

static bool read_interface_options(const struct pcapng_reader *p, const struct block *b, struct interface *i)
{
    const uint8_t *at = b->body + 8;
    struct option o;
    bool sound;

    while (next_option(&at, b->end, p->swapped, &o, &sound)) {
        if (o.code == OPTION_TSRESOL && o.size == 1)
            pcapng_clock_set_unit(&i->clock, o.value[0]);
        else if (o.code == OPTION_TSOFFSET && o.size == 8)
            i->clock.offset_s = (int64_t)get64(o.value, p->swapped);
    }
    return sound;
}

static int add_interface(struct capture *c, const struct block *b, struct err *reterr)
{
    struct pcapng_reader *p = c->reader;
    struct interface i = {0};

    if (b->end - b->body < 8)
        return fault(c, b, "is too short for an interface description");
    if (p->n_interfaces == MAX_INTERFACES)
        return fault(c, b, "describes one interface more than the %u that are read", MAX_INTERFACES);
    i.linktype = linktype_normal(get16(b->body, p->swapped));
    i.snaplen = get32(b->body + 4, p->swapped);
    i.max_caplen = capture_max_caplen(i.snaplen);
    pcapng_clock_set_unit(&i.clock, PCAPNG_CLOCK_MICROSECONDS);
    if (!read_interface_options(p, b, &i))
        return fault(c, b, "has an option that is longer than the block");

    int rc = reserve_interface(p, reterr);
    if (rc == 0)
        rc = capture_add_linktype(c, i.linktype, reterr);
    if (rc < 0)
        return rc;
    capture_add_snaplen(c, i.snaplen, p->n_interfaces == 0);
    p->interfaces[p->n_interfaces++] = i;
    return STEP_ON;
}

/* Counts are totals since the capture began: a later block replaces an earlier one. */
static void read_statistics(struct capture *c, const struct block *b)
{
    const struct pcapng_reader *p = c->reader;
    const uint8_t *at = b->body + 12;
    struct option o;
    bool sound, stated = false;
    uint64_t drops = 0;

    if (b->end - b->body < 12)
        return;
    struct interface *i = find_interface(p, get32(b->body, p->swapped));
    while (i != NULL && next_option(&at, b->end, p->swapped, &o, &sound)) {
        if ((o.code != OPTION_STATISTICS_IFDROP && o.code != OPTION_STATISTICS_OSDROP) || o.size != 8)
            continue;
        drops = add_drops(drops, get64(o.value, p->swapped));
        stated = true;
    }
    if (stated) {
        i->drops_total = drops;
        count_drops(c, i);
    }
}

/* A whole block whose lengths agree. */
static int handle(struct capture *c, const struct block *b, struct err *reterr)
{
    const char *why;
    int rc = STEP_ON;

    if (is_packet(b->type)) {
        struct packet_block packet;

        why = parse_packet(c->reader, b, &packet);
        return why != NULL ? fault(c, b, "%s", why) : STEP_PACKET;
    }
    if (b->type == BLOCK_SECTION)
        rc = begin_section(c, b);
    else if (b->type == BLOCK_INTERFACE)
        rc = add_interface(c, b, reterr);
    else if (b->type == BLOCK_STATISTICS)
        read_statistics(c, b);
    if (rc == STEP_ON)
        c->window.pos += b->size;
    return rc;
}

static int cut(struct capture *c, uint32_t type, uint64_t need, uint64_t left)
{
    char what[64];

    if (is_packet(type))
        snprintf(what, sizeof(what), "packet record %llu", (unsigned long long)c->stats.n_packets + 1);
    else
        snprintf(what, sizeof(what), "pcapng block of type 0x%08X", type);
    capture_damage_cut(c, what, need, "bytes", left);
    return STEP_END;
}

/* Goes on passing over a long block; the state is in the reader, so that an interrupted call can be repeated. */
static int pass_long_block(struct capture *c, struct err *reterr)
{
    struct pcapng_reader *p = c->reader;
    struct window *w = &c->window;
    struct block b = {.size = p->skip_size};

    int rc = window_skip(w, &p->skip_left, reterr);
    if (rc == 0)
        rc = window_fill(w, 4, reterr);
    if (rc < 0)
        return rc;
    if (window_left(w) < 4) {
        capture_damage_cut(c, "the end of a long pcapng block", p->skip_left + 4, "bytes", window_left(w));
        return STEP_END;
    }
    if (get32(window_at(w), p->swapped) != b.size) {
        capture_damage(c, p->skip_offset, "malformed: pcapng block at byte %llu has two lengths that differ",
                       (unsigned long long)p->skip_offset);
        return STEP_END;
    }
    w->pos += 4;
    p->skip_size = 0;
    return STEP_ON;
}

/* Sets the byte order from a section header before its length can be read. */
static bool read_byte_order(struct pcapng_reader *p, const uint8_t *block)
{
    p->swapped = get32(block + 8, false) != BYTE_ORDER_MAGIC;
    return get32(block + 8, p->swapped) == BYTE_ORDER_MAGIC;
}

static bool is_passed_over(uint32_t type)
{
    return !is_packet(type) && type != BLOCK_SECTION && type != BLOCK_INTERFACE && type != BLOCK_STATISTICS;
}

/* One block that is not a packet is dealt with, or a packet block is made whole in the window. */
static int step(struct capture *c, struct err *reterr)
{
    struct pcapng_reader *p = c->reader;
    struct window *w = &c->window;
    struct block b;
    int rc;

    if (p->skip_size > 0)
        return pass_long_block(c, reterr);
    rc = window_fill(w, BLOCK_MIN_SIZE, reterr);
    if (rc < 0)
        return rc;
    if (window_left(w) == 0) {
        capture_end(c);
        return STEP_END;
    }
    if (window_left(w) < BLOCK_MIN_SIZE) {
        capture_damage_cut(c, "a pcapng block", BLOCK_MIN_SIZE, "bytes", window_left(w));
        return STEP_END;
    }
    b.type = get32(window_at(w), p->swapped);
    if (b.type == BLOCK_SECTION && !read_byte_order(p, window_at(w)))
        return fault(c, &b, "has no byte-order magic");
    b.size = get32(window_at(w) + 4, p->swapped);
    if (b.size < BLOCK_MIN_SIZE || b.size % 4 != 0)
        return fault(c, &b, "claims a length of %u bytes, which is %s", b.size,
                     b.size < BLOCK_MIN_SIZE ? "less than any block has" : "no multiple of 4");
    if (b.size > MAX_HELD_BLOCK && is_passed_over(b.type)) {
        p->skip_size = b.size;
        p->skip_left = b.size - 4;
        p->skip_offset = window_offset(w);
        return STEP_ON;
    }
    if (b.size > WINDOW_MAX_SIZE)
        return fault(c, &b, "claims a length of %u bytes; at most %zu are read", b.size, WINDOW_MAX_SIZE);
    rc = window_fill(w, b.size, reterr);
    if (rc < 0)
        return rc;
    if (window_left(w) < b.size)
        return cut(c, b.type, b.size, window_left(w));
    if (!look(c, &b))
        return fault(c, &b, "has two lengths that differ");
    return handle(c, &b, reterr);
}

static int pcapng_reader_next(struct capture *c, struct frame *ret, size_t n, struct err *reterr)
{
    size_t got = take(c, ret, n);
    int rc = STEP_ON;

    if (got > 0)
        return (int)got;
    while (rc == STEP_ON)
        rc = step(c, reterr);
    return rc == STEP_PACKET ? (int)take(c, ret, n) : rc;
}

static void pcapng_reader_free(void *reader)
{
    struct pcapng_reader *p = reader;

    free(p->interfaces);
    free(p);
}

static const struct reader_ops pcapng_ops = {.next = pcapng_reader_next, .free = pcapng_reader_free};

int pcapng_reader_open(struct capture *c, struct err *reterr)
{
    struct pcapng_reader *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return err_set(reterr, -ENOMEM, "no memory to read");
    c->reader = p;
    c->ops = &pcapng_ops;
    int rc = step(c, reterr);
    if (rc < 0)
        return rc;
    if (c->stats.damaged)
        return err_set(reterr, p->bad_version ? -ENOTSUP : -EBADMSG, "%s", c->stats.damage);
    return 0;
}
