# METADATA
# title: Part of the host could not be seen
# description: >-
#   A collector was refused, failed or saw only a part, or the program does not run on the host
#   itself. Checks that depend on it are unknown, which is not a pass. This check itself is
#   never unknown: that something was not seen is known.
# custom:
#   severity: medium
#   reads: []
#   remediation: >-
#     Run as root on the host itself, outside any container; the reasons say what was missing.
#   references:
#     nist: ["CA-7"]
#     cwe: ["CWE-778"]
package ringfence.coverage.incomplete

import data.ringfence.lib

finding contains {
	"resource": {"kind": "collector", "key": c.collector},
	"message": sprintf("%s: %s", [c.collector, _what[c.status]]),
	"severity": "high",
	"evidence": lib.list(c, "reasons"),
	"remediation": [{"kind": "words", "text": sprintf("%s, or accept the gap", [_see])}],
} if {
	some c in input.coverage
	c.status in {"denied", "error"}
}

# What is not known of a Windows host is in files that were not told: each gap names its own.
_see := "bring what the gaps name from the Windows host (docs/windows.md)" if _windows

else := "run ringfence as root on the host itself"

_what := {"denied": "nothing was seen, a privilege is missing", "error": "nothing was seen"}

_partial := [c | some c in input.coverage; c.status == "partial"]

finding contains {
	"resource": {"kind": "collector", "key": "parts"},
	"message": sprintf("only a part was seen of %s", [concat(", ", sort([c.collector | some c in _partial]))]),
	"severity": "low",
	"evidence": _gaps,
	"remediation": [{"kind": "words", "text": sprintf("%s, or accept the gap", [_see])}],
} if {
	count(_partial) > 0
	count(_confined) == 0
}

_gaps := sort([sprintf("%s: %s", [c.collector, r]) | some c in _partial; some r in lib.list(c, "reasons")])

_confined := lib.list(input.host.self, "confined")

# What is seen in part for that reason is told with it.

finding contains {
	"resource": {"kind": "collector", "key": "host"},
	"message": "ringfence runs in a container: what it calls the host is not the host",
	"severity": "medium",
	"evidence": array.concat(_confined, _gaps),
	"remediation": [{"kind": "words", "text": "run ringfence on the host itself"}],
} if {
	count(_confined) > 0
}

unknown contains {"resource": {"kind": "collector", "key": "host"}, "reason": "the snapshot does not say where it was taken"} if {
	object.get(input.host.self, "capEff", "") == ""
	not _windows
}

# A Windows host is seen from itself, or from its files: it has no containers of this kind.
_windows if {
	some c in input.coverage
	c.collector == "windows"
}
