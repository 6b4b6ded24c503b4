/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How several sensors become one record.
 *
 * A conversation is the same at two sensors where both say the same of it: ends, port, content, verdict and outcome.  Where
 * one says established and the other unanswered, both stay, for that is what there is to be seen between two taps.  Of the
 * same one the figures are those of the sensor that saw most packets of it: the others saw the same packets.
 */
#include "merge.h"

#include <stddef.h>

#include "flowaudit/store.h"

#define COLUMNS (const char *const[])

#define SAME "client, server, transport, server_port, protocol, row_id, verdict, kind, outcome, scope, summed > 0"

/*
 * Of what is required the best that any sensor saw counts: what one saw did happen, whatever the others missed.  Silence is
 * told only where nobody saw an attempt, and no sensor with a hole in what it saw takes the flow for possible there: the
 * packet that would have shown it may be among those that this one lost.
 */
#define HAS_HOLE                                                                                                                 \
    "(sensor IN (SELECT sensor FROM in_loss) OR sensor IN (SELECT sensor FROM in_input WHERE damaged) OR sensor IN"             \
    " (SELECT sensor_id FROM sensor WHERE run_id = ?1 AND NOT complete))"
#define OUTCOME_RANK                                                                                                             \
    "CASE outcome WHEN 'seen' THEN 0 WHEN 'refused' THEN 1 WHEN 'prohibited' THEN 2 WHEN 'unanswered' THEN 3 WHEN 'one-way'"    \
    " THEN 4 WHEN 'never-attempted' THEN 6 ELSE CASE WHEN " HAS_HOLE " THEN 5 ELSE 7 END END"

/* What is said of the site, without what one sensor saw of it. */
#define SITE_REASON(t) "substr(" t "reason, 1, instr(" t "reason || '" SITE_SEEN_HERE "', '" SITE_SEEN_HERE "') - 1)"
#define SEVERITY_RANK                                                                                                            \
    "CASE severity WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 WHEN 'low' THEN 3 ELSE 4 END"

/* The order of reports. */
#define KIND_RANK                                                                                                                \
    "instr(' no-row wrong-port wrong-protocol wrong-direction wrong-role option-off unknown-host missing misdropped separated"  \
    " site ', ' ' || t.kind || ' ')"

#define SENSOR_NAME "(SELECT name FROM sensor WHERE run_id = ?1 AND sensor_id = t.sensor)"

/* Who saw the conversation of a finding, and who did not. */
#define WITNESSES                                                                                                                \
    "(SELECT ' Seen by ' || group_concat(name, ', ') FROM (SELECT name FROM sensor s WHERE s.run_id = ?1 AND s.sensor_id IN"    \
    " (SELECT sensor_id FROM witness w WHERE w.run_id = ?1 AND w.conversation_id = m.new) ORDER BY sensor_id))"                 \
    " || ifnull((SELECT '; not seen by ' || group_concat(name, ', ') FROM (SELECT name FROM sensor s WHERE s.run_id = ?1 AND"   \
    " s.sensor_id NOT IN (SELECT sensor_id FROM witness w WHERE w.run_id = ?1 AND w.conversation_id = m.new)"                   \
    " ORDER BY sensor_id)), '') || '.'"

/* The first two neighbours in time of which one ends before the other begins. */
#define APART                                                                                                                    \
    "(SELECT * FROM (SELECT sensor, first_ns, max(last_ns) OVER w AS ended_ns, max(last_ns || ':' || sensor) OVER w AS ended"   \
    " FROM (SELECT sensor, min(first_ns) AS first_ns, max(last_ns) AS last_ns FROM in_input WHERE first_ns IS NOT NULL"         \
    " GROUP BY sensor) WINDOW w AS (ORDER BY first_ns, sensor ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING))"               \
    " WHERE first_ns > ended_ns ORDER BY first_ns, sensor LIMIT 1)"
#define TIME(ns)        "strftime('%Y-%m-%d %H:%M:%S', " ns " / 1000000000, 'unixepoch')"
#define NAME_OF(sensor) "(SELECT name FROM sensor WHERE run_id = ?1 AND sensor_id = " sensor ")"

const struct merge_step merge_steps[] = {
    /* --- what was looked at: all of it, sensor by sensor --- */
    {NULL, NULL,
     "CREATE TEMP TABLE map_input AS SELECT sensor, input_id AS old, row_number() OVER (ORDER BY sensor, input_id) AS new"
     " FROM in_input"},
    {NULL, NULL, "CREATE INDEX temp.by_map_input ON map_input(sensor, old)"},
    {"input", COLUMNS{"input_id", "m.new", NULL}, "FROM in_input t JOIN map_input m ON m.sensor = t.sensor AND m.old = t.input_id"},
    {NULL, NULL,
     "UPDATE sensor SET inputs = (SELECT count(*) FROM map_input m WHERE m.sensor = sensor_id), first_input ="
     " (SELECT min(new) FROM map_input m WHERE m.sensor = sensor_id) WHERE run_id = ?1"},
    {"discard", COLUMNS{"input_id", "m.new", NULL}, "FROM in_discard t JOIN map_input m ON m.sensor = t.sensor AND m.old = t.input_id"},
    {"loss",
     COLUMNS{"loss_id", "row_number() OVER (ORDER BY t.sensor, t.loss_id)", "input_id", "m.new", "detail",
             "CASE WHEN t.input_id IS NULL THEN " SENSOR_NAME " || ': ' || ifnull(t.detail, '') ELSE t.detail END", NULL},
     "FROM in_loss t LEFT JOIN map_input m ON m.sensor = t.sensor AND m.old = t.input_id"},
    {"counter",
     COLUMNS{"counter_id", "row_number() OVER (ORDER BY t.sensor, t.counter_id)", "name", "t.name || '@' || t.sensor", "text",
             "ifnull(t.text, '') || ' (' || " SENSOR_NAME " || ')'", NULL},
     "FROM in_counter t"},
    {"matrix_row", COLUMNS{NULL}, "FROM in_matrix_row t WHERE t.sensor = 1"},
    {"host",
     COLUMNS{"host_id", "row_number() OVER (ORDER BY t.address)", "first_ns", "min(t.first_ns)", "last_ns", "max(t.last_ns)", "packets",
             "max(t.packets)", NULL},
     "FROM in_host t GROUP BY t.address"},

    /* --- conversations --- */
    {NULL, NULL,
     "CREATE TEMP TABLE conversation_rank AS SELECT sensor, conversation_id AS old, packets, first_ns, last_ns, nth,"
     " dense_rank() OVER (ORDER BY " SAME ", nth) AS grp FROM (SELECT *, row_number() OVER (PARTITION BY sensor, " SAME
     " ORDER BY conversation_id) AS nth FROM in_conversation)"},
    {NULL, NULL,
     "CREATE TEMP TABLE conversation_group AS SELECT grp, min(first_ns) AS first_ns, max(last_ns) AS last_ns,"
     " row_number() OVER (ORDER BY min(first_ns), grp) AS new FROM conversation_rank GROUP BY grp"},
    {NULL, NULL, "CREATE UNIQUE INDEX temp.by_group ON conversation_group(grp)"},
    {NULL, NULL,
     "CREATE TEMP TABLE map_conversation AS SELECT r.sensor, r.old, g.new, g.first_ns, g.last_ns,"
     " row_number() OVER (PARTITION BY r.grp ORDER BY r.packets DESC, r.sensor, r.old) = 1 AS kept"
     " FROM conversation_rank r JOIN conversation_group g USING (grp)"},
    {NULL, NULL, "CREATE UNIQUE INDEX temp.by_map_conversation ON map_conversation(sensor, old)"},
    {"conversation", COLUMNS{"conversation_id", "m.new", "first_ns", "m.first_ns", "last_ns", "m.last_ns", "input_id", "i.new", NULL},
     "FROM in_conversation t JOIN map_conversation m ON m.sensor = t.sensor AND m.old = t.conversation_id"
     " LEFT JOIN map_input i ON i.sensor = t.sensor AND i.old = t.input_id WHERE m.kept ORDER BY m.new"},
    {NULL, NULL,
     "INSERT INTO witness(run_id, conversation_id, sensor_id, first_ns, last_ns, flows, packets, bytes)"
     " SELECT ?1, m.new, t.sensor, t.first_ns, t.last_ns, t.flows, t.packets, t.bytes FROM in_conversation t"
     " JOIN map_conversation m ON m.sensor = t.sensor AND m.old = t.conversation_id ORDER BY m.new, t.sensor"},
    {"flow",
     COLUMNS{"conversation_id", "m.new", "flow_id", "row_number() OVER (ORDER BY m.new, t.sensor, t.flow_id)", "input_id", "i.new", NULL},
     "FROM in_flow t JOIN map_conversation m ON m.sensor = t.sensor AND m.old = t.conversation_id"
     " JOIN map_input i ON i.sensor = t.sensor AND i.old = t.input_id"},

    /* --- what is required --- */
    {NULL, NULL,
     "CREATE TEMP TABLE map_expectation AS SELECT sensor, expectation_id AS old, row_number() OVER (PARTITION BY row_id, client,"
     " client_name, each_server, window_start_ns, window_end_ns ORDER BY " OUTCOME_RANK ", sensor, expectation_id) = 1 AS kept"
     " FROM (SELECT *, CASE WHEN min(ifnull(server, '')) OVER w <> max(ifnull(server, '')) OVER w THEN ifnull(server, '') ELSE ''"
     " END AS each_server FROM in_expectation WINDOW w AS (PARTITION BY sensor, row_id, client, client_name, window_start_ns))"},
    {NULL, NULL, "CREATE UNIQUE INDEX temp.by_map_expectation ON map_expectation(sensor, old)"},
    {"expectation",
     COLUMNS{"expectation_id", "row_number() OVER (ORDER BY t.expectation_id, t.sensor)", "reason",
             "ifnull(t.reason, '') || ' By what ' || " SENSOR_NAME " || ' saw.'", NULL},
     "FROM in_expectation t JOIN map_expectation m ON m.sensor = t.sensor AND m.old = t.expectation_id WHERE m.kept"},

    /* --- findings: of the conversations and expectations that were kept --- */
    {NULL, NULL,
     "CREATE TEMP TABLE kept_finding AS"
     " SELECT f.sensor, f.finding_id FROM in_finding f JOIN map_conversation m ON m.sensor = f.sensor AND m.old = f.conversation_id"
     "  WHERE m.kept AND f.kind <> 'separated'"
     " UNION ALL SELECT sensor, finding_id FROM (SELECT f.sensor, f.finding_id, row_number() OVER (PARTITION BY f.kind, f.row_id,"
     "  f.client, f.client_name, f.server, f.server_name ORDER BY f.sensor, f.finding_id) AS nth FROM in_finding f WHERE f.kind IN"
     "  ('missing', 'misdropped') AND EXISTS (SELECT 1 FROM in_expectation e JOIN map_expectation m ON m.sensor = e.sensor AND"
     "  m.old = e.expectation_id WHERE m.kept AND e.sensor = f.sensor AND e.row_id = f.row_id AND e.client IS f.client"
     "  AND e.outcome IN ('never-attempted', 'refused', 'prohibited', 'unanswered'))) WHERE nth = 1"
     " UNION ALL SELECT sensor, finding_id FROM (SELECT sensor, finding_id, row_number() OVER (PARTITION BY section, client_name,"
     "  server_name, client, server ORDER BY " SEVERITY_RANK ", packets DESC, sensor) AS nth FROM in_finding WHERE kind = 'separated')"
     "  WHERE nth = 1"
     " UNION ALL SELECT min(sensor), finding_id FROM in_finding WHERE kind = 'site' GROUP BY " SITE_REASON("") " HAVING count(DISTINCT sensor) ="
     "  (SELECT count(*) FROM sensor WHERE run_id = ?1)"
     /* Negotiated and not used, unless another sensor saw the use. */
     " UNION ALL SELECT min(sensor), finding_id FROM in_finding f WHERE conversation_id IS NULL AND transport IS NOT NULL AND NOT"
     "  EXISTS (SELECT 1 FROM in_conversation c WHERE c.client = f.client AND c.server = f.server AND c.transport = f.transport AND"
     "  c.server_port = f.server_port) GROUP BY kind, row_id, client, server, transport, server_port"},
    {"finding",
     COLUMNS{"finding_id",
             "row_number() OVER (ORDER BY " SEVERITY_RANK ", " KIND_RANK ", m.new IS NULL, m.new, t.finding_id, t.sensor)",
             "conversation_id", "m.new", "first_ns", "CASE WHEN t.kind = 'separated' THEN t.first_ns ELSE ifnull(m.first_ns, t.first_ns) END",
             "last_ns", "CASE WHEN t.kind = 'separated' THEN t.last_ns ELSE ifnull(m.last_ns, t.last_ns) END", "reason",
             "CASE WHEN t.kind = 'site' THEN " SITE_REASON("t.") " ELSE t.reason END || CASE WHEN t.kind = 'site' THEN '' WHEN m.new IS NULL OR t.kind = 'separated' THEN ' By what ' || " SENSOR_NAME
             " || ' saw.' ELSE " WITNESSES " END",
             NULL},
     "FROM in_finding t JOIN kept_finding k ON k.sensor = t.sensor AND k.finding_id = t.finding_id"
     " LEFT JOIN map_conversation m ON m.sensor = t.sensor AND m.old = t.conversation_id"},
    {NULL, NULL,
     "INSERT INTO finding(run_id, finding_id, kind, severity, flows, packets, bytes, reason) SELECT ?1, 1 + ifnull((SELECT"
     " max(finding_id) FROM finding WHERE run_id = ?1), 0), 'site', 'notice', 0, 0, 0, '" STORE_MERGE_APART "' ||"
     " " NAME_OF("CAST(substr(ended, instr(ended, ':') + 1) AS INTEGER)") " || ' ends at ' || " TIME("ended_ns")
     " || ' UTC, and ' || " NAME_OF("sensor") " || ' begins at ' || " TIME("first_ns") " || ' UTC. Merging is for sensors that watch"
     " at the same time: a required flow that was there in one record hides that it was missing in the other. To compare two times use"
     " \"flowaudit diff\"; to judge them as one observation, \"flowaudit check\" with all captures.' FROM " APART},
    {NULL, NULL, NULL},
};
