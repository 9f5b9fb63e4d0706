//! The tables, as migrations/ makes them, columns in the same order.

diesel::table! {
    customers (id) {
        id -> Uuid,
        external_id -> Text,
        revision -> BigInt,
        version -> BigInt,
        recorded_at -> Timestamptz,
        rolled_until -> Timestamptz,
        unrolled -> BigInt,
        low -> Nullable<Jsonb>,
    }
}

diesel::table! {
    grants (customer_id, id) {
        customer_id -> Uuid,
        id -> Uuid,
        sequence -> BigInt,
        #[sql_name = "type"]
        kind -> Text,
        currency -> Nullable<Text>,
        metrics -> Array<Text>,
        amount -> Numeric,
        priority -> SmallInt,
        category -> Nullable<Text>,
        effective_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
        description -> Text,
        metadata -> Nullable<Jsonb>,
        remaining -> Numeric,
        held -> Numeric,
        consumed -> Numeric,
        expired -> Numeric,
        voided -> Numeric,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        created_by -> Text,
        voided_at -> Nullable<Timestamptz>,
        void_reason -> Nullable<Text>,
        open -> Bool,
        due_at -> Nullable<Timestamptz>,
        import_id -> Nullable<Text>,
        import_row -> Nullable<BigInt>,
        warned -> Nullable<Jsonb>,
        campaign_id -> Nullable<Text>,
    }
}

diesel::table! {
    usage_events (customer_id, event_id) {
        customer_id -> Uuid,
        event_id -> Text,
        metric -> Text,
        quantity -> Numeric,
        uncovered -> Numeric,
        reversed -> Numeric,
        timestamp -> Timestamptz,
        recorded_at -> Timestamptz,
        first_sequence -> Nullable<BigInt>,
        last_sequence -> Nullable<BigInt>,
        timestamp_given -> Bool,
        reject -> Bool,
        metadata -> Nullable<Jsonb>,
        hold_id -> Nullable<Text>,
    }
}

diesel::table! {
    usage_rollups (customer_id, hour, metric) {
        customer_id -> Uuid,
        hour -> Timestamptz,
        metric -> Text,
        events -> BigInt,
        quantity -> Numeric,
        uncovered -> Numeric,
        reversed -> Numeric,
        first_timestamp -> Timestamptz,
        last_timestamp -> Timestamptz,
    }
}

diesel::table! {
    ledger_entries (customer_id, sequence) {
        customer_id -> Uuid,
        sequence -> BigInt,
        grant_id -> Uuid,
        #[sql_name = "type"]
        kind -> Text,
        amount -> Numeric,
        balance_after -> Numeric,
        held_amount -> Numeric,
        held_after -> Numeric,
        event_id -> Nullable<Text>,
        reason -> Nullable<Text>,
        change -> Nullable<Jsonb>,
        actor -> Text,
        occurred_at -> Timestamptz,
        recorded_at -> Timestamptz,
        invoice_id -> Nullable<Text>,
        hold_id -> Nullable<Text>,
    }
}

diesel::table! {
    holds (customer_id, hold_id) {
        customer_id -> Uuid,
        hold_id -> Text,
        metric -> Text,
        quantity -> Numeric,
        ttl_micros -> BigInt,
        allow_partial -> Bool,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        grant_ids -> Array<Uuid>,
        amounts -> Array<Numeric>,
        status -> Text,
        settled -> Numeric,
        event_id -> Nullable<Text>,
        ended_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    requests (customer_id, request_id) {
        customer_id -> Uuid,
        request_id -> Text,
        payload -> Uuid,
        effective_at -> Nullable<Timestamptz>,
        grant_id -> Nullable<Uuid>,
        recorded_at -> Timestamptz,
        event_id -> Nullable<Text>,
        invoice_id -> Nullable<Text>,
        restored -> Nullable<Numeric>,
        forfeited -> Nullable<Numeric>,
        uncovered_reversed -> Nullable<Numeric>,
    }
}

diesel::table! {
    import_rows (import_key, row) {
        import_key -> Uuid,
        row -> BigInt,
        customer_id -> Uuid,
        payload -> Uuid,
        effective_at -> Nullable<Timestamptz>,
        grant_id -> Uuid,
        recorded_at -> Timestamptz,
    }
}

diesel::table! {
    notification_settings (one) {
        one -> Bool,
        version -> BigInt,
        expiry_warnings -> Array<BigInt>,
        balance_thresholds -> Jsonb,
        updated_at -> Nullable<Timestamptz>,
        interests -> Jsonb,
        renewed_up_to -> Nullable<Uuid>,
    }
}

diesel::table! {
    webhook_endpoints (id) {
        id -> Uuid,
        url -> Text,
        event_types -> Array<Text>,
        description -> Text,
        secret -> Text,
        old_secrets -> Jsonb,
        request_id -> Nullable<Text>,
        payload -> Uuid,
        failing_since -> Nullable<Timestamptz>,
        disabled_at -> Nullable<Timestamptz>,
        disabled_reason -> Nullable<Text>,
        deleted_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    deliveries (id) {
        id -> Uuid,
        endpoint_id -> Uuid,
        notification_id -> Uuid,
        event_type -> Text,
        customer_id -> Nullable<Uuid>,
        payload -> Text,
        status -> Text,
        attempts -> Integer,
        response_status -> Nullable<SmallInt>,
        error -> Nullable<Text>,
        created_at -> Timestamptz,
        attempted_at -> Nullable<Timestamptz>,
        next_attempt_at -> Nullable<Timestamptz>,
        give_up_at -> Timestamptz,
        claimed_until -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    customer_profiles (customer_id) {
        customer_id -> Uuid,
        external_id -> Text,
        name -> Text,
        segments -> Array<Text>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    segment_members (segment, external_id) {
        segment -> Text,
        external_id -> Text,
        customer_id -> Uuid,
    }
}

diesel::table! {
    campaigns (campaign_key) {
        campaign_key -> Uuid,
        campaign_id -> Text,
        payload -> Uuid,
        segment -> Nullable<Text>,
        named_customers -> Nullable<Array<Text>>,
        #[sql_name = "type"]
        kind -> Text,
        currency -> Nullable<Text>,
        metrics -> Array<Text>,
        amount -> Numeric,
        priority -> SmallInt,
        category -> Nullable<Text>,
        effective_at -> Nullable<Timestamptz>,
        expires_at -> Nullable<Timestamptz>,
        description -> Text,
        metadata -> Nullable<Jsonb>,
        created_at -> Timestamptz,
        created_by -> Text,
    }
}

diesel::table! {
    campaign_runs (campaign_key, run) {
        campaign_key -> Uuid,
        run -> Integer,
        started_at -> Timestamptz,
        finished_at -> Nullable<Timestamptz>,
        cursor -> Text,
        members -> BigInt,
        processed -> BigInt,
        created -> BigInt,
        duplicates -> BigInt,
        rejected -> BigInt,
        rejected_customers -> Array<Text>,
        rejections -> Array<Text>,
        worker -> Nullable<Uuid>,
        leased_until -> Timestamptz,
    }
}

diesel::table! {
    campaign_grants (customer_id, campaign_key) {
        customer_id -> Uuid,
        campaign_key -> Uuid,
        run -> Integer,
        payload -> Uuid,
        effective_at -> Nullable<Timestamptz>,
        grant_id -> Uuid,
        recorded_at -> Timestamptz,
    }
}

diesel::table! {
    api_keys (id) {
        id -> Uuid,
        name -> Text,
        role -> Text,
        digest -> Binary,
        created_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    customers,
    grants,
    usage_events,
    ledger_entries,
    requests,
    import_rows,
    holds,
    deliveries,
);
