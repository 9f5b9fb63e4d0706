//! What holds of campaigns and segments.

/// Each rule, and a query that finds what breaks it: customer, subject, expected, found.
pub(super) const CAMPAIGNS: &[(&str, &str)] = &[
    (
        "a campaign's grant and its key name each other",
        "SELECT coalesce(g.customer_id, k.customer_id), 'grant ' || coalesce(g.id, k.grant_id), \
                g.campaign_id, c.campaign_id \
         FROM (SELECT * FROM grants WHERE campaign_id IS NOT NULL) g \
         FULL JOIN campaign_grants k ON k.customer_id = g.customer_id AND k.grant_id = g.id \
         LEFT JOIN campaigns c ON c.campaign_key = k.campaign_key \
         WHERE g.id IS NULL OR g.campaign_id IS DISTINCT FROM c.campaign_id",
    ),
    (
        // A customer who was refused may yet have got the grant, from a server that had been given up.
        "a run that has finished has counted the grants it made",
        "SELECT r.campaign_key, format('run %s of campaign %s', r.run, c.campaign_id), \
                m.made::text, r.created::text \
         FROM campaign_runs r LEFT JOIN campaigns c ON c.campaign_key = r.campaign_key \
         CROSS JOIN LATERAL (SELECT count(*) AS made FROM campaign_grants k \
           WHERE k.campaign_key = r.campaign_key AND k.run = r.run) m \
         WHERE r.finished_at IS NOT NULL AND m.made - r.created NOT BETWEEN 0 AND r.rejected",
    ),
    (
        "a segment's members are those whose profiles name it",
        "SELECT coalesce(p.customer_id, m.customer_id), \
                'segment ' || coalesce(p.segment, m.segment), p.external_id, m.external_id \
         FROM (SELECT customer_id, external_id, unnest(segments) AS segment \
               FROM customer_profiles) p \
         FULL JOIN segment_members m ON m.segment = p.segment AND m.external_id = p.external_id \
         WHERE p.customer_id IS DISTINCT FROM m.customer_id",
    ),
];
