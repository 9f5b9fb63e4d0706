"""What docs/clients.md shows in Python does what it says, on the server at the address given."""

import json
import sys

import grpc
import snippets
from credits.v1 import campaign_service_pb2, customer_service_pb2, notification_service_pb2
from credits.v1 import credit_service_pb2, usage_service_pb2

target, ca, key = sys.argv[1], open(sys.argv[2], "rb").read(), sys.argv[3]
channel = snippets.connect(target, key, ca)

# Who sends no key over the same connection's like is told so.
try:
    bare = grpc.secure_channel(target, grpc.ssl_channel_credentials(ca))
    snippets.grant(bare, "0", "python", "1")
    raise SystemExit("nobody was asked for a key")
except grpc.RpcError as error:
    assert snippets.why(error) == ("UNAUTHENTICATED", {}, 0.0), snippets.why(error)

first = snippets.grant(channel, "1", "python", "100")
again = snippets.grant(channel, "1", "python", "100")
assert (first.replayed, again.replayed, first.grant.id) == (False, True, again.grant.id)

usage = snippets.event("python", "gateway-1", "call-1", "tokens", "30")
recorded, twice = snippets.record(channel, usage), snippets.record(channel, usage)
assert (recorded.covered, twice) == ("30", recorded), (recorded, twice)

try:
    snippets.grant(channel, "1", "python", "99")
    raise SystemExit("a key was used twice")
except grpc.RpcError as error:
    assert snippets.why(error) == ("REQUEST_ID_REUSED", {}, 0.0), snippets.why(error)

batches = [[snippets.event("python", f"gateway-{batch}", f"call-{n}", "tokens", "1") for n in range(3)]
           for batch in range(2, 6)]
results = list(snippets.stream(channel, batches))
assert [event for event, _ in results] == [event for batch in batches for event in batch]
assert all(result.event.event_id == event.event_id for event, result in results), results

balances = snippets.watch(channel, ["python"])
assert next(balances).totals[0].available == "58"
snippets.record(channel, snippets.event("python", "gateway-1", "call-2", "tokens", "8"))
assert next(balances).totals[0].available == "50"
balances.close()

# The service config names what there is, and all of it.
config = json.load(open("docs/service-config.json"))
services = {service.full_name: service for module in (
    campaign_service_pb2, customer_service_pb2, notification_service_pb2, credit_service_pb2,
    usage_service_pb2) for service in module.DESCRIPTOR.services_by_name.values()}
named = [name for method in config["methodConfig"] for name in method["name"]]
assert {name["service"] for name in named} == set(services)
streams = {(name["service"], name["method"]) for name in config["methodConfig"][2]["name"]}
assert streams == {(service, method.name) for service, of in services.items()
                   for method in of.methods if method.server_streaming or method.client_streaming}
assert all(name["method"] in services[name["service"]].methods_by_name
           for name in config["methodConfig"][1]["name"])
