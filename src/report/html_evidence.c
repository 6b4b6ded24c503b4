/* SPDX-License-Identifier: Apache-2.0 */
/* The result for each section, what was looked at, and what could not be seen. */
#include <inttypes.h>
#include <string.h>

#include "html.h"
#include "sections.h"

#define MOST_INPUTS 500
#define N_OF(a)     (sizeof(a) / sizeof((a)[0]))

/* --- sections ------------------------------------------------------------------------------------------------- */

static void put_section(void *aux, struct cursor *c)
{
    static const char *const classes[SECTION_N_RESULTS] = {
        [SECTION_FAILS] = "fails",   [SECTION_UNKNOWN] = "unknown", [SECTION_CONFORMS] = "conforms",
        [SECTION_UNSEEN] = "unseen", [SECTION_OFF] = "off",
    };
    static const char *const words[SECTION_N_RESULTS] = {
        [SECTION_FAILS] = "does not conform", [SECTION_UNKNOWN] = "cannot be determined",
        [SECTION_CONFORMS] = "conforms",      [SECTION_UNSEEN] = "no flow seen",
        [SECTION_OFF] = "switched off",
    };
    struct html *h = aux;
    enum section_result result = section_result(h->summary, c);
    char counts[400];

    html_put(h, "<tr><td>");
    html_text(h, section_name(c));
    html_put(h, "<td><span class=\"badge %s\">%s</span><td>%s\n", classes[result], words[result],
             section_counts(c, true, counts));
}

int html_sections(struct html *h, struct err *reterr)
{
    html_heading(h, "sections", "Result by section of the document");
    html_put(h, "<div class=scroll><table class=wide1><thead><tr><th>Section<th>Result<th>Counts</thead><tbody>\n");
    int rc = report_each(h->job, section_sql, put_section, h, reterr);
    html_put(h, "</tbody></table></div>\n");
    html_par(h, "soft",
             "Permitted: conversations that a row allows and that got through; media both ways in the sections of both. Escaped, rejected: findings that got "
             "through, or did not. Misdropped, missing: required flows that were tried in vain, or not seen to be tried. Not "
             "covered: required flows of which the capture cannot tell. One-way, unanswered: required flows and findings of which it does not tell whether they got through. "
             "Told under the section of the other way: findings of media both ways, of which either way may be amiss.");
    return rc;
}

/* --- what was looked at --------------------------------------------------------------------------------------- */

static int put_inputs(struct html *h, struct err *reterr)
{
    static const struct html_column columns[] = {
        {"Input", HTML_NUMBER},      {"File", HTML_TEXT},        {"Link type", HTML_TEXT},
        {"First packet", HTML_TIME}, {"Last packet", HTML_TIME}, {"Packets", HTML_NUMBER},
        {"decoded", HTML_NUMBER},    {"discarded", HTML_NUMBER}, {"dropped", HTML_NUMBER},
    };
    static const struct html_column digests[] = {
        {"Input", HTML_NUMBER},       {"State", HTML_TEXT},   {"Size", HTML_BYTES},
        {"Snap length", HTML_NUMBER}, {"SHA-256", HTML_CODE},
    };
    int rc = html_table(h, columns, N_OF(columns),
                        "SELECT input_id, name, linktype, first_packet, last_packet, packets, packets_decoded,"
                        " packets_discarded, packets_dropped FROM inputs WHERE run_id = ?1 ORDER BY input_id",
                        MOST_INPUTS, "inputs", "No input was looked at.", reterr);

    return rc != 0 ? rc
                   : html_table(h, digests, N_OF(digests),
                                "SELECT input_id, CASE WHEN damaged THEN CASE WHEN " REPORT_UNREAD "THEN '' ELSE 'damaged: ' END || coalesce(damage, 'not read to"
                                " its end') WHEN linktype = 'live' THEN 'live' ELSE 'read to its end' END, CASE WHEN"
                                " linktype IS NOT 'live' THEN bytes END, snaplen, coalesce(sha256, CASE WHEN linktype ="
                                " 'live' THEN '' ELSE 'not asked for' END) FROM inputs WHERE run_id = ?1 ORDER BY input_id",
                                MOST_INPUTS, "inputs", "", reterr);
}

static int put_unseen(struct html *h, struct err *reterr)
{
    static const struct html_column discards[] = {{"Reason", HTML_TEXT}, {"Packets", HTML_NUMBER}};
    static const struct html_column losses[] = {
        {"Reason", HTML_TEXT}, {"Input", HTML_NUMBER}, {"Packets", HTML_NUMBER},
        {"From", HTML_TIME},   {"To", HTML_TIME},      {"What is known", HTML_TEXT},
    };

    html_put(h, "<h3>Packets that were not decoded</h3>\n");
    int rc = html_table(h, discards, N_OF(discards),
                        "SELECT reason, sum(packets) AS n FROM discards WHERE run_id = ?1 GROUP BY reason"
                        " ORDER BY n DESC, reason",
                        100, "reasons", "None: each packet of the inputs was decoded.", reterr);
    html_put(h, "<h3>Packets that were lost before the tool saw them</h3>\n");
    if (rc == 0)
        rc = html_table(h, losses, N_OF(losses),
                        "SELECT reason, input_id, packets, first, last, detail FROM losses WHERE run_id = ?1"
                        " ORDER BY loss_id",
                        200, "losses",
                        "None is known: neither the files nor acknowledgements of unseen data tell of any.", reterr);
    return rc;
}

static int put_unjudged(struct html *h, struct err *reterr)
{
    static const struct html_column scopes[] = {{"Not judged because", HTML_TEXT},
                                                {"Conversations", HTML_NUMBER},
                                                {"Packets", HTML_NUMBER},
                                                {"Size", HTML_BYTES}};
    static const struct html_column counters[] = {
        {"Counter", HTML_TEXT}, {"Value", HTML_NUMBER}, {"Meaning", HTML_TEXT}};

    html_put(h, "<h3>Traffic that was seen and not judged</h3>\n");
    int rc = html_table(h, scopes, N_OF(scopes),
                        "SELECT CASE verdict WHEN 'undocumented' THEN 'undocumented: the document is silent, and the"
                        " site lists no ports' ELSE coalesce(scope, 'out-of-scope') END AS w, count(*), sum(packets),"
                        " sum(bytes) FROM conversations WHERE run_id = ?1 AND verdict IN ('undocumented',"
                        " 'not-governed') GROUP BY w ORDER BY w",
                        100, "reasons", "All traffic was judged.", reterr);
    html_put(h, "<h3>Counted besides</h3>\n");
    if (rc == 0)
        rc = html_table(h, counters, N_OF(counters),
                        "SELECT name, value, text FROM counters WHERE run_id = ?1 AND value > 0 ORDER BY counter_id",
                        200, "counters", "Nothing.", reterr);
    return rc;
}

int html_evidence(struct html *h, struct err *reterr)
{
    html_heading(h, "evidence", "What was looked at, and what could not be seen");
    int rc = put_inputs(h, reterr);
    if (rc == 0)
        rc = put_unseen(h, reterr);
    if (rc == 0)
        rc = put_unjudged(h, reterr);
    return rc;
}
