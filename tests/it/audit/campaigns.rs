//! What breaks the rules about campaigns and segments.

/// A rule about campaigns and segments, and what breaks it and no other.
pub(super) const TAMPERINGS: &[(&str, &str)] = &[
    (
        "a campaign's grant and its key name each other",
        "UPDATE campaign_grants SET grant_id = gen_random_uuid()",
    ),
    (
        "a campaign's grant and its key name each other",
        "UPDATE grants SET campaign_id = 'other' WHERE campaign_id IS NOT NULL",
    ),
    (
        "a run that has finished has counted the grants it made",
        "UPDATE campaign_runs SET created = created + 1, processed = processed + 1",
    ),
    (
        "a run that has finished has counted the grants it made",
        "UPDATE campaign_runs SET created = created - 1, duplicates = duplicates + 1",
    ),
    (
        "a segment's members are those whose profiles name it",
        "DELETE FROM segment_members WHERE external_id = 'third'",
    ),
    (
        "a segment's members are those whose profiles name it",
        "UPDATE customer_profiles SET segments = '{other}' WHERE external_id = 'third'",
    ),
];
