package ringfence.firewall.workload_networks_joined_test

import data.ringfence.firewall.workload_networks_joined as check

_doc(verdict) := {"forwards": [{
	"from": "br-b", "fromZone": "workload", "to": "br-a", "toZone": "workload", "family": "ipv4",
	"default": {"verdict": verdict, "witness": "in br-b ...", "because": ["x"], "stoppedBy": []},
}]}

test_joined_fails if {f.resource.key | some f in check.finding} == {"br-a and br-b"} with input as _doc("reachable")

test_apart_passes if count(check.finding) == 0 with input as _doc("unreachable")

test_unclear_is_unknown if count(check.unknown) == 1 with input as _doc("unknown")

test_one_network_is_one if {
	doc := json.patch(_doc("reachable"), [{"op": "add", "path": "/forwards/0/within", "value": "pods"}])
	count(check.finding) == 0 with input as doc
}
