/* SPDX-License-Identifier: Apache-2.0 */
/* The screen of the live table: what is on it, and how it is drawn.  Knows no terminal but its escape sequences. */
#ifndef NOTIFY_TOP_H
#define NOTIFY_TOP_H

#include "private.h"

#define TOP_MAX_ROWS  200
#define TOP_MAX_LINES 64 /* of findings and messages */

struct top_row {
    uint64_t          id, flows, packets, bytes;
    uint64_t          rate; /* bytes a second since the last look; 0 where it was not seen then */
    int64_t           last_ns;
    char              client[80], server[80], service[16], protocol[24], verdict[24];
    bool              bad, warn;
};

struct top_line {
    uint64_t run_id, finding_id; /* 0: a message */
    enum severity severity;
    char     text[512]; /* safe to show */
};

enum top_show { TOP_BOTH, TOP_CONVERSATIONS, TOP_FINDINGS, TOP_N_SHOWS };

struct top {
    struct top_row   rows[TOP_MAX_ROWS];
    size_t           n_rows;
    int64_t          rows_ns;               /* steady, of 'rows' */
    struct top_line  lines[TOP_MAX_LINES];  /* the latest first */
    size_t           n_lines;
    struct out       head[4];               /* the lines above the tables, safe to show */
    enum notify_sort sort;
    enum top_show    show;
    bool             paused, color;
};

/* Takes in new counters; borrowed for the call. */
void top_look(struct top *, struct notify_time, const struct notify_vitals *);
void top_alert(struct top *, const struct alert *);
void top_message(struct top *, const struct message *);
void top_sort(struct top *);
/* A whole screen, from the home position; each line is at most 'columns' wide and there are at most 'lines' of them. */
void top_draw(const struct top *, unsigned lines, unsigned columns, struct out *);
void top_clear(struct top *);

/* The first 'columns' columns of a text that is safe to show; returns the columns that it takes. */
unsigned top_clip(struct out *, const char *text, unsigned columns);

#endif
