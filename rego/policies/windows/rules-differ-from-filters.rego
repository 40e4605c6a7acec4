# METADATA
# title: The filters are not what the rules say
# description: >-
#   Rules and settings of the registry say another thing of a listener than the filters that the engine holds: a program
#   besides the firewall decides, or the firewall has not loaded what is configured.
# custom:
#   severity: medium
#   reads: [windows.listeners, windows.adapters, windows.reach, windows.firewall, windows.filters]
#   remediation: >-
#     Look at the filter that decides (it is in the exposures), and at the program that made it.
#   references:
#     nist: ["CM-6", "SI-7"]
#     cwe: ["CWE-1188"]
package ringfence.windows.rules_differ_from_filters

import data.ringfence.lib

finding contains {
	"resource": {"kind": "service", "key": svc.key},
	"message": sprintf("the registry says that %s is %s from the %s zone, and the filters that it is %s", [svc.key, said, zone, svc.reach[zone].verdict]),
	"severity": _severity(svc.reach[zone]),
	"zone": zone,
	"evidence": lib.evidence(svc.reach[zone]),
	"remediation": [{"kind": "words", "text": "look at the filter that decides, and at the program that made it: netsh wfp show filters"}],
} if {
	some svc in input.windowsListeners
	some zone, said in svc.registry
}

finding contains {
	"resource": {"kind": "filter", "key": d.about},
	"message": sprintf("the engine and the rules differ in what they %s", [d.about]),
	"severity": "low",
	"evidence": array.concat(
		[sprintf("only the engine has it for %s (%s)", [concat(", ", array.slice(only, 0, 10)), concat(", ", array.slice(_list(d, "held"), 0, 5))]) | only := _list(d, "onlyHeld"); count(only) > 0],
		[sprintf("only the rules have it for %s (%s)", [concat(", ", array.slice(only, 0, 10)), concat(", ", array.slice(_list(d, "rules"), 0, 5))]) | only := _list(d, "onlyRules"); count(only) > 0],
	),
	"remediation": [{"kind": "words", "text": "restart the host, and look at the program that made the filter if it stays"}],
} if {
	some d in input.windowsFilters
	not object.get(d, "unsure", false)
}

unknown contains {
	"resource": {"kind": "filter", "key": "filters"},
	"reason": sprintf("%d differences between the rules and the engine may be none: there are filters that cannot be compared", [n]),
} if {
	n := count([1 | some d in input.windowsFilters; object.get(d, "unsure", false)])
	n > 0
}

_list(d, name) := object.get(d, name, [])

unknown contains {"resource": {"kind": "service", "key": svc.key}, "reason": lib.unclear(zone, reach)} if {
	some svc in input.windowsListeners
	some zone in {"workload", "external"}
	reach := svc.reach[zone]
	reach.verdict == "unknown"
}

# What the filters close more than the rules is somebody else's protection.
_severity(reach) := "medium" if reach.verdict == "reachable"

else := "info"
