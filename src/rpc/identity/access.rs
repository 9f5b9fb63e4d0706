//! Which role each RPC asks for. An RPC that is not named here asks for the greatest.

use crate::domain::identity::Role;

/// The least role that may call what has this path; None where anybody may.
pub(in crate::rpc) fn least_role(path: &str) -> Option<Role> {
    let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
    match service {
        // Probes have no keys.
        "grpc.health.v1.Health" => None,
        "grpc.reflection.v1.ServerReflection" | "grpc.reflection.v1alpha.ServerReflection" => {
            Some(Role::Reader)
        }
        "credits.v1.CreditService" => Some(credit(method)),
        "credits.v1.UsageService" => Some(usage(method)),
        "credits.v1.CustomerService" => Some(customer(method)),
        "credits.v1.CampaignService" => Some(campaign(method)),
        "credits.v1.NotificationService" => Some(notification(method)),
        "credits.v1.TestClockService" => Some(test_clock(method)),
        _ => Some(Role::Admin),
    }
}

fn credit(method: &str) -> Role {
    match method {
        "GetGrant"
        | "ListGrants"
        | "GetBalance"
        | "WatchBalance"
        | "ListLedgerEntries"
        | "GetCreditApplication"
        | "ExportCreditReport"
        | "ExportLedger" => Role::Reader,
        _ => Role::Admin,
    }
}

/// What gives credits back is no metering: it would pay for usage that was there.
fn usage(method: &str) -> Role {
    match method {
        "PreviewUsage" | "GetUsageEvent" | "ListUsageEvents" | "SummarizeUsage" | "GetHold" => {
            Role::Reader
        }
        "RecordUsage" | "StreamUsage" | "CreateHold" | "ExtendHold" | "SettleHold"
        | "ReleaseHold" => Role::Meter,
        _ => Role::Admin,
    }
}

fn customer(method: &str) -> Role {
    match method {
        "GetCustomer" | "ListCustomers" => Role::Reader,
        _ => Role::Admin,
    }
}

fn campaign(method: &str) -> Role {
    match method {
        "GetCampaign" | "ListCampaigns" | "WatchCampaign" => Role::Reader,
        _ => Role::Admin,
    }
}

fn notification(method: &str) -> Role {
    match method {
        "GetWebhookEndpoint"
        | "ListWebhookEndpoints"
        | "GetNotificationSettings"
        | "ListDeliveries" => Role::Reader,
        _ => Role::Admin,
    }
}

fn test_clock(method: &str) -> Role {
    match method {
        "GetTime" => Role::Reader,
        _ => Role::Admin,
    }
}
