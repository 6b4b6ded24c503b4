/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema.  Tables have singular names and hold nanoseconds; views have plural names, hold text for people and are
 * the contract.  A later version adds a step at the end of 'steps' and never changes an earlier one.
 *
 * Each table but 'run' is keyed by the run and a number that rises within it, without a rowid: rows are appended in
 * key order, and one run of many is read without a further index.
 */
#include "schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "flowaudit/store.h"
#include "store-private.h"

/* ISO 8601 with microseconds from nanoseconds.  The seconds are rounded down also before 1970; null stays null. */
#define ISO(column)                                                                                                    \
    "strftime('%Y-%m-%dT%H:%M:%S', " column " / 1000000000 - (" column " % 1000000000 < 0), 'unixepoch')"              \
    " || printf('.%06dZ', (" column " % 1000000000 + 1000000000) % 1000000000 / 1000)"

static const char *const step_1[] = {
    "CREATE TABLE run(run_id INTEGER PRIMARY KEY, started_ns INTEGER, ended_ns INTEGER, command TEXT, version TEXT,"
    " site_name TEXT, site_file TEXT, site_text TEXT, site_sha256 TEXT, matrix_id TEXT, matrix_title TEXT,"
    " matrix_text TEXT, matrix_sha256 TEXT, options TEXT, complete INTEGER NOT NULL DEFAULT 0 CHECK (complete IN (0,"
    " 1))) STRICT;",

    "CREATE TABLE input(run_id INTEGER NOT NULL, input_id INTEGER NOT NULL, name TEXT, path TEXT, sha256 TEXT,"
    " linktype TEXT, bytes INTEGER NOT NULL, snaplen INTEGER NOT NULL, first_ns INTEGER, last_ns INTEGER, packets"
    " INTEGER NOT NULL, decoded INTEGER NOT NULL, discarded INTEGER NOT NULL, dropped INTEGER NOT NULL, damaged"
    " INTEGER NOT NULL CHECK (damaged IN (0, 1)), damage TEXT, PRIMARY KEY (run_id, input_id)) STRICT, WITHOUT"
    " ROWID;",

    "CREATE TABLE discard(run_id INTEGER NOT NULL, input_id INTEGER NOT NULL, reason TEXT NOT NULL, packets INTEGER"
    " NOT NULL, PRIMARY KEY (run_id, input_id, reason)) STRICT, WITHOUT ROWID;",

    "CREATE TABLE loss(run_id INTEGER NOT NULL, loss_id INTEGER NOT NULL, input_id INTEGER, reason TEXT NOT NULL,"
    " packets INTEGER, first_ns INTEGER, last_ns INTEGER, detail TEXT, PRIMARY KEY (run_id, loss_id)) STRICT,"
    " WITHOUT ROWID;",

    "CREATE TABLE counter(run_id INTEGER NOT NULL, counter_id INTEGER NOT NULL, name TEXT NOT NULL, value INTEGER"
    " NOT NULL, text TEXT, PRIMARY KEY (run_id, counter_id)) STRICT, WITHOUT ROWID;",

    "CREATE TABLE host(run_id INTEGER NOT NULL, host_id INTEGER NOT NULL, address TEXT NOT NULL, name TEXT, roles"
    " TEXT, first_ns INTEGER, last_ns INTEGER, packets INTEGER NOT NULL, PRIMARY KEY (run_id, host_id)) STRICT,"
    " WITHOUT ROWID;",

    "CREATE TABLE matrix_row(run_id INTEGER NOT NULL, position INTEGER NOT NULL, row_id TEXT NOT NULL, section"
    " TEXT, from_roles TEXT, to_roles TEXT, ports TEXT, service TEXT, condition TEXT, expect TEXT, protocols TEXT,"
    " enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)), PRIMARY KEY (run_id, position)) STRICT, WITHOUT ROWID;",

    "CREATE TABLE conversation(run_id INTEGER NOT NULL, conversation_id INTEGER NOT NULL, client TEXT,"
    " client_port_low INTEGER NOT NULL, client_port_high INTEGER NOT NULL, server TEXT, server_port INTEGER,"
    " transport TEXT NOT NULL, protocol TEXT, row_id TEXT, verdict TEXT NOT NULL, outcome TEXT NOT NULL, disposition"
    " TEXT, confidence TEXT, first_ns INTEGER, last_ns INTEGER, flows INTEGER NOT NULL, packets INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL, client_name TEXT, server_name TEXT, protocol_detail TEXT, kind TEXT, direction TEXT,"
    " scope TEXT, packets_out INTEGER NOT NULL, packets_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL, bytes_in"
    " INTEGER NOT NULL, duplicates INTEGER NOT NULL, summed INTEGER NOT NULL, encapsulation TEXT, parent TEXT,"
    " interface TEXT, PRIMARY KEY (run_id, conversation_id)) STRICT, WITHOUT ROWID;",

    /* By conversation first: the flows of one finding are neighbours. */
    "CREATE TABLE flow(run_id INTEGER NOT NULL, conversation_id INTEGER NOT NULL, flow_id INTEGER NOT NULL, client"
    " TEXT NOT NULL, client_port INTEGER NOT NULL, server TEXT NOT NULL, server_port INTEGER NOT NULL, transport"
    " TEXT NOT NULL, vlan INTEGER, community_id TEXT, first_ns INTEGER, last_ns INTEGER, packets_out INTEGER NOT"
    " NULL, packets_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL, bytes_in INTEGER NOT NULL, tcp_flags_out"
    " INTEGER, tcp_flags_in INTEGER, protocol TEXT, input_id INTEGER NOT NULL, first_packet_number INTEGER NOT NULL,"
    " protocol_detail TEXT, direction TEXT, tcp_state TEXT, closed TEXT, end_reason TEXT, payload_out INTEGER NOT"
    " NULL, payload_in INTEGER NOT NULL, duplicates INTEGER NOT NULL, retransmissions INTEGER NOT NULL,"
    " unseen_bytes_out INTEGER NOT NULL, unseen_bytes_in INTEGER NOT NULL, vlan_in INTEGER, icmp_errors INTEGER NOT"
    " NULL, icmp_type INTEGER, icmp_code INTEGER, icmp_sender TEXT, icmp_packet_number INTEGER, PRIMARY KEY (run_id,"
    " conversation_id, flow_id)) STRICT, WITHOUT ROWID;",

    "CREATE TABLE finding(run_id INTEGER NOT NULL, finding_id INTEGER NOT NULL, kind TEXT NOT NULL, severity TEXT"
    " NOT NULL, row_id TEXT, section TEXT, client TEXT, client_name TEXT, server TEXT, server_name TEXT, transport"
    " TEXT, server_port INTEGER, protocol TEXT, outcome TEXT, disposition TEXT, first_ns INTEGER, last_ns INTEGER,"
    " flows INTEGER NOT NULL, packets INTEGER NOT NULL, bytes INTEGER NOT NULL, reason TEXT NOT NULL, waived_by"
    " TEXT, parent TEXT, conversation_id INTEGER, PRIMARY KEY (run_id, finding_id)) STRICT, WITHOUT ROWID;",

    "CREATE TABLE expectation(run_id INTEGER NOT NULL, expectation_id INTEGER NOT NULL, row_id TEXT NOT NULL,"
    " client TEXT, server TEXT, outcome TEXT NOT NULL, first_ns INTEGER, attempts INTEGER NOT NULL, reason TEXT,"
    " client_name TEXT, server_name TEXT, PRIMARY KEY (run_id, expectation_id)) STRICT, WITHOUT ROWID;",

    "CREATE VIEW runs AS SELECT run_id, " ISO("started_ns") " AS started, " ISO(
        "ended_ns") " AS ended,"
                    " command, version, site_sha256, matrix_id, matrix_sha256, complete, site_name, site_file,"
                    " site_text, matrix_title, matrix_text, options FROM run;",

    "CREATE VIEW inputs AS SELECT run_id, input_id, name, sha256, bytes, linktype, snaplen,"
    " " ISO("first_ns") " AS first_packet, " ISO(
        "last_ns") " AS last_packet, packets, decoded AS packets_decoded,"
                   " discarded AS packets_discarded, dropped AS packets_dropped, damaged, path, damage FROM input;",

    "CREATE VIEW discards AS SELECT run_id, input_id, reason, packets FROM discard;",

    "CREATE VIEW losses AS SELECT run_id, input_id, reason, packets, " ISO(
        "first_ns") " AS first,"
                    " " ISO("last_ns") " AS last, detail, loss_id FROM loss;",

    "CREATE VIEW counters AS SELECT run_id, name, value, text, counter_id FROM counter;",

    "CREATE VIEW hosts AS SELECT run_id, address, name, roles, " ISO(
        "first_ns") " AS first_seen,"
                    " " ISO("last_ns") " AS last_seen, packets, host_id FROM host;",

    "CREATE VIEW \"rows\" AS SELECT run_id, row_id, section, from_roles, to_roles, ports, service, condition, expect,"
    " protocols, enabled, position FROM matrix_row;",

    "CREATE VIEW conversations AS SELECT run_id, conversation_id, client, client_port_low, client_port_high, server,"
    " server_port, transport, protocol, row_id, verdict, outcome, disposition, confidence,"
    " " ISO("first_ns") " AS first_seen, " ISO("last_ns") " AS last_seen, flows, packets, bytes, client_name,"
                                                          " server_name, protocol_detail, kind, direction, scope,"
                                                          " packets_out, packets_in, bytes_out, bytes_in,"
                                                          " duplicates, summed, encapsulation, parent, interface"
                                                          " FROM conversation;",

    "CREATE VIEW flows AS SELECT run_id, flow_id, conversation_id, client, client_port, server, server_port,"
    " transport,"
    " vlan, community_id, " ISO("first_ns") " AS first_seen, " ISO(
        "last_ns") " AS last_seen, packets_out, packets_in,"
                   " bytes_out, bytes_in, tcp_flags_out, tcp_flags_in, protocol, input_id, first_packet_number,"
                   " protocol_detail, direction, tcp_state, closed, end_reason, payload_out, payload_in, duplicates,"
                   " retransmissions, unseen_bytes_out, unseen_bytes_in, vlan_in, icmp_errors, icmp_type, icmp_code,"
                   " icmp_sender, icmp_packet_number FROM flow;",

    "CREATE VIEW findings AS SELECT run_id, finding_id, kind, severity, row_id, section, client, client_name, server,"
    " server_name, transport, server_port, protocol, outcome, disposition, " ISO(
        "first_ns") " AS first_seen,"
                    " " ISO("last_ns") " AS last_seen, flows, packets, bytes, reason, waived_by, parent, "
                                       "conversation_id FROM finding;",

    "CREATE VIEW expectations AS SELECT run_id, row_id, client, server, outcome, " ISO(
        "first_ns") " AS first_seen,"
                    " attempts, reason, client_name, server_name, expectation_id FROM expectation;",
    NULL,
};

/* The second version: see flowaudit-db(5), HISTORY. */
static const char *const step_2[] = {
    /* Integrity: a seal for each run that came to its end, chained; and which runs were removed, by which run.  Without a
     * row of 'seal' a run is unprotected.  Both outlive the runs that they speak of. */
    "CREATE TABLE seal(seal_id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL UNIQUE, previous TEXT, sha256 TEXT NOT"
    " NULL, manifest TEXT NOT NULL) STRICT;",
    "CREATE TABLE removal(run_id INTEGER NOT NULL, removed_run INTEGER NOT NULL, removed_ns INTEGER, seal TEXT, reason"
    " TEXT, PRIMARY KEY (run_id, removed_run)) STRICT, WITHOUT ROWID;",
    /* Several sensors as one record: whose the evidence is. */
    "CREATE TABLE sensor(run_id INTEGER NOT NULL, sensor_id INTEGER NOT NULL, name TEXT NOT NULL, source_run INTEGER NOT"
    " NULL, seal TEXT, started_ns INTEGER, version TEXT, command TEXT, complete INTEGER NOT NULL, first_input INTEGER,"
    " inputs INTEGER NOT NULL, PRIMARY KEY (run_id, sensor_id)) STRICT, WITHOUT ROWID;",
    "CREATE TABLE witness(run_id INTEGER NOT NULL, conversation_id INTEGER NOT NULL, sensor_id INTEGER NOT NULL, first_ns"
    " INTEGER, last_ns INTEGER, flows INTEGER NOT NULL, packets INTEGER NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY"
    " (run_id, conversation_id, sensor_id)) STRICT, WITHOUT ROWID;",
    "CREATE VIEW sensors AS SELECT run_id, sensor_id, name, source_run, seal, " ISO("started_ns") " AS started, version,"
    " command, complete, first_input, inputs FROM sensor;",
    "CREATE VIEW witnesses AS SELECT run_id, conversation_id, sensor_id, " ISO("first_ns") " AS first_seen, " ISO(
        "last_ns") " AS last_seen, flows, packets, bytes FROM witness;",
    "CREATE VIEW seals AS SELECT seal_id, run_id, previous, sha256, manifest FROM seal;",
    "CREATE VIEW removals AS SELECT run_id, removed_run, " ISO("removed_ns") " AS removed, seal, reason FROM removal;",
    /* Expected flows by window; 'requirements' has one line for each, whatever the number of windows. */
    "ALTER TABLE expectation ADD COLUMN window_start_ns INTEGER;",
    "ALTER TABLE expectation ADD COLUMN window_end_ns INTEGER;",
    "DROP VIEW expectations;",
    "CREATE VIEW expectations AS SELECT run_id, row_id, client, server, outcome, " ISO(
        "first_ns") " AS first_seen,"
                    " attempts, reason, client_name, server_name, expectation_id, " ISO(
        "window_start_ns") " AS window_start, " ISO("window_end_ns") " AS window_end FROM expectation;",
    /* Packets that a live run kept: the files that they are in. */
    "CREATE TABLE evidence_file(run_id INTEGER NOT NULL, file_id INTEGER NOT NULL, path TEXT NOT NULL, sha256 TEXT, bytes"
    " INTEGER NOT NULL, packets INTEGER NOT NULL, first_ns INTEGER, last_ns INTEGER, PRIMARY KEY (run_id, file_id)) STRICT,"
    " WITHOUT ROWID;",
    "CREATE VIEW evidence AS SELECT run_id, file_id, path, sha256, bytes, packets, " ISO("first_ns") " AS first_packet, " ISO(
        "last_ns") " AS last_packet FROM evidence_file;",
    "CREATE VIEW requirements AS SELECT run_id, row_id, client, client_name, server, server_name, outcome, 1 AS windows,"
    " expectation_id FROM expectation WHERE window_start_ns IS NULL"
    " UNION ALL SELECT run_id, row_id, client, client_name, NULL, NULL, CASE"
    " WHEN total(outcome = 'never-attempted') > 0 THEN 'never-attempted'"
    " WHEN total(outcome IN ('refused', 'prohibited', 'unanswered')) > 0 THEN max(CASE WHEN outcome IN ('refused',"
    " 'prohibited', 'unanswered') THEN outcome END)"
    " WHEN total(outcome = 'seen') > 0 THEN 'seen' ELSE min(outcome) END, count(*), min(expectation_id)"
    " FROM expectation WHERE window_start_ns IS NOT NULL GROUP BY run_id, row_id, client_name, client;",
    /* Where a conversation begins in the capture, and how far it went before an error came. */
    "ALTER TABLE conversation ADD COLUMN input_id INTEGER;",
    "ALTER TABLE conversation ADD COLUMN first_packet_number INTEGER;",
    "ALTER TABLE conversation ADD COLUMN icmp_errors INTEGER;",
    "ALTER TABLE conversation ADD COLUMN icmp_before INTEGER;",
    "ALTER TABLE conversation ADD COLUMN icmp_late INTEGER;",
    "DROP VIEW conversations;",
    "CREATE VIEW conversations AS SELECT run_id, conversation_id, client, client_port_low, client_port_high, server, server_port, transport,"
    " protocol, row_id, verdict, outcome, disposition, confidence, " ISO("first_ns") " AS first_seen, " ISO("last_ns") " AS last_seen, flows,"
    " packets, bytes, client_name, server_name, protocol_detail, kind, direction, scope, packets_out, packets_in, bytes_out, bytes_in,"
    " duplicates, summed, encapsulation, parent, interface, input_id, first_packet_number, icmp_errors, icmp_before, icmp_late FROM conversation;",
    /* The servers that would do, where an expected flow could have had several. */
    "ALTER TABLE finding ADD COLUMN servers TEXT;",
    "DROP VIEW findings;",
    "CREATE VIEW findings AS SELECT run_id, finding_id, kind, severity, row_id, section, client, client_name, server, server_name, transport,"
    " server_port, protocol, outcome, disposition, " ISO("first_ns") " AS first_seen, " ISO("last_ns") " AS last_seen, flows, packets, bytes, reason,"
    " waived_by, parent, conversation_id, servers FROM finding;",
    NULL,
};

/* steps[n] brings version n to n + 1. */
static const char *const *const steps[STORE_SCHEMA_VERSION] = {step_1, step_2};

static bool begins(const char *sql, const char *words)
{
    return strncmp(sql, words, strlen(words)) == 0;
}

static bool is_of_table(const char *sql)
{
    return begins(sql, "CREATE TABLE") || begins(sql, "ALTER TABLE");
}

static int run_steps(sqlite3 *db, int from, int to, bool (*wanted)(const char *sql, int version))
{
    int rc = SQLITE_OK;

    for (int v = from; v < to; v++)
        for (const char *const *sql = steps[v]; rc == SQLITE_OK && *sql != NULL; sql++)
            if (wanted(*sql, v))
                rc = sqlite3_exec(db, *sql, NULL, NULL, NULL);
    return rc;
}

static int end_steps(sqlite3 *db, int rc, int version, struct err *reterr)
{
    char stamp[96];

    snprintf(stamp, sizeof(stamp), "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", STORE_APPLICATION_ID, version);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, stamp, NULL, NULL, NULL);
    if (rc != SQLITE_OK) {
        int code = store_sql_error(db, "cannot make the tables", reterr);

        if (!sqlite3_get_autocommit(db))
            sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
        return code;
    }
    return 0;
}

static bool is_any(const char *sql, int version)
{
    (void)sql, (void)version;
    return true;
}

static int run_step(sqlite3 *db, int version, struct err *reterr)
{
    int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

    if (rc == SQLITE_OK)
        rc = run_steps(db, version, version + 1, is_any);
    return end_steps(db, rc, version + 1, reterr);
}

static bool is_table_step(const char *sql, int version)
{
    (void)version;
    return is_of_table(sql);
}

/* All else: the views, but those that a later version drops, for in an empty file they need not be made. */
static bool is_view_that_stays(const char *sql, int version)
{
    static const char create[] = "CREATE VIEW ", drop[] = "DROP VIEW ";
    const char *name = sql + sizeof(create) - 1;

    if (is_of_table(sql) || begins(sql, drop))
        return false;
    for (int v = version + 1; begins(sql, create) && v < STORE_SCHEMA_VERSION; v++)
        for (const char *const *later = steps[v]; *later != NULL; later++)
            if (begins(*later, drop) && strncmp(*later + sizeof(drop) - 1, name, strcspn(name, " ")) == 0 &&
                (*later)[sizeof(drop) - 1 + strcspn(name, " ")] == ';')
                return false;
    return true;
}

/* What the steps one after the other make, at once: SQLite reads all views anew for each column that a table is given. */
static int make_all(sqlite3 *db, struct err *reterr)
{
    int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

    if (rc == SQLITE_OK)
        rc = run_steps(db, 0, STORE_SCHEMA_VERSION, is_table_step);
    if (rc == SQLITE_OK)
        rc = run_steps(db, 0, STORE_SCHEMA_VERSION, is_view_that_stays);
    return end_steps(db, rc, STORE_SCHEMA_VERSION, reterr);
}

int schema_migrate(sqlite3 *db, int version, struct err *reterr)
{
    int rc = 0;

    if (version == 0)
        return make_all(db, reterr);
    while (rc == 0 && version < STORE_SCHEMA_VERSION)
        rc = run_step(db, version++, reterr);
    return rc;
}

/* Looks each object of 'reference' up in 'db'. */
static int compare_objects(sqlite3 *db, sqlite3 *reference, struct err *reterr)
{
    sqlite3_stmt *want = NULL, *have = NULL;
    int rc = sqlite3_prepare_v2(reference,
                                "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL",
                                -1, &want, NULL);
    int code = 0;

    if (rc == SQLITE_OK && sqlite3_prepare_v2(db,
                                              "SELECT coalesce(min(type = ?1 AND sql = ?3), 0) FROM sqlite_schema"
                                              " WHERE name = ?2 COLLATE NOCASE",
                                              -1, &have, NULL) != SQLITE_OK)
        code = store_sql_error(db, "cannot read the schema", reterr);
    while (code == 0 && have != NULL && (rc = sqlite3_step(want)) == SQLITE_ROW) {
        for (int i = 0; i < 3; i++)
            sqlite3_bind_value(have, i + 1, sqlite3_column_value(want, i));
        int step = sqlite3_step(have);
        bool equal = step == SQLITE_ROW && sqlite3_column_int(have, 0) == 1;
        if (step != SQLITE_ROW && step != SQLITE_DONE)
            code = store_sql_error(db, "cannot read the schema", reterr);
        else if (!equal)
            code = err_set(reterr, -EINVAL, "its %s '%s' is not the one that this program makes: the file was altered",
                           (const char *)sqlite3_column_text(want, 0), (const char *)sqlite3_column_text(want, 1));
        sqlite3_reset(have);
    }
    if (code == 0 && rc != SQLITE_DONE)
        code = store_sql_error(reference, "cannot make the schema to compare with", reterr);
    sqlite3_finalize(want);
    sqlite3_finalize(have);
    return code;
}

static int open_reference(sqlite3 **ret, struct err *reterr)
{
    if (sqlite3_open_v2(":memory:", ret, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) == SQLITE_OK)
        return 0;
    return store_sql_error(*ret, "cannot make the schema to compare with", reterr);
}

int schema_reference(int version, sqlite3 **ret, struct err *reterr)
{
    sqlite3 *reference = NULL;
    int rc = open_reference(&reference, reterr);

    for (int v = 0; rc == 0 && v < version; v++)
        rc = run_step(reference, v, reterr);
    if (rc != 0)
        sqlite3_close(reference);
    else
        *ret = reference;
    return rc;
}

int schema_tables(sqlite3 **ret, struct err *reterr)
{
    sqlite3 *reference = NULL;
    int rc = open_reference(&reference, reterr);

    if (rc == 0 && run_steps(reference, 0, STORE_SCHEMA_VERSION, is_table_step) != SQLITE_OK)
        rc = store_sql_error(reference, "cannot make the schema to compare with", reterr);
    if (rc != 0)
        sqlite3_close(reference);
    else
        *ret = reference;
    return rc;
}

int schema_verify(sqlite3 *db, int version, struct err *reterr)
{
    sqlite3 *reference;
    int rc = schema_reference(version, &reference, reterr);

    if (rc != 0)
        return rc;
    rc = compare_objects(db, reference, reterr);
    sqlite3_close(reference);
    return rc;
}
