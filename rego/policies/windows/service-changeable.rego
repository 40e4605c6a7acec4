# METADATA
# title: Somebody besides administrators can change a service
# description: >-
#   The access list of a service, of its program or of its key lets others change what it runs: they become the account
#   that it runs as.
# custom:
#   severity: high
#   reads: [windows.services]
#   remediation: >-
#     Give the service its default access list (sc.exe sdset), and the directory of its program that of Program Files.
#   references:
#     nist: ["AC-6"]
#     attack: ["T1574.010", "T1574.011"]
#     cwe: ["CWE-732"]
package ringfence.windows.service_changeable

import data.ringfence.lib.windows

_of := {"control": "configure the service", "program": "change the program of the service", "key": "change the key of the service", "keys": "change the keys of administrators for"}

finding contains {
	"resource": {"kind": "service", "key": sprintf("%s %s", [s.key, s.what])},
	"message": sprintf("%s can %s %s, which runs as %s", [windows.who(s.who), _of[s.what], s.key, _as(s)]),
	"severity": _severity(s),
	"evidence": [sprintf("the access list lets %s", [windows.who(s.who)])],
	"remediation": [{"kind": "words", "text": sprintf("take %s out of the access list (%s of %s)", [windows.who(s.who), s.what, s.key])}],
} if {
	some s in input.windowsServices
	s.start != 4
	count(s.who) > 0
}

unknown contains {
	"resource": {"kind": "service", "key": what},
	"reason": sprintf("the access lists of %d services were not read: who can %s", [n, _of[what]]),
} if {
	some what in ["control", "program", "key", "keys"]
	n := count([1 | some s in input.windowsServices; s.what == what; s.start != 4; not s.read in {"present", "absent"}])
	n > 0
}

# What others can put there counts once they can get to it: by default nobody but administrators can.
finding contains {
	"resource": {"kind": "service", "key": sprintf("%s path", [s.key])},
	"message": sprintf("the command of %s has blanks and no quotes: Windows looks for %s first", [s.key, s.before]),
	"severity": "low",
	"evidence": [sprintf("it runs as %s", [_as(s)])],
	"remediation": [{"kind": "words", "text": sprintf("put the path in ImagePath of %s in quotes", [s.key])}],
} if {
	some s in input.windowsServices
	s.start != 4
	object.get(s, "before", "") != ""
}

# The SSH server takes no keys from a file that others can write (StrictModes): they count once somebody mends its access list alone.
_severity(s) := "medium" if {
	s.what == "keys"
} else := "high" if {
	some sid in s.who
	sid in windows.broad
} else := "medium"

_as(s) := s.as if s.as != ""

else := "the system"
