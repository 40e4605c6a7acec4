# METADATA
# title: SSH gives strangers more tries or time than by default
# description: >-
#   The server lets who has not logged in yet try more often, stay longer or hold more connections
#   than sshd does by itself: six tries, 120 seconds, and some of the connections refused from ten
#   on. That helps who guesses passwords and who keeps others out. Without a limit of time
#   connections pile up until nobody gets in.
# custom:
#   severity: low
#   reads: [ssh.configs, ssh.servers]
#   remediation: >-
#     Take MaxAuthTries, LoginGraceTime and MaxStartups out of the configuration.
#   references:
#     cis: ["Debian 12 v1.1.0 5.1.13", "Debian 12 v1.1.0 5.1.16", "Debian 12 v1.1.0 5.1.17"]
#     nist: ["AC-7", "SC-5"]
#     attack: ["T1110", "T1499"]
#     cwe: ["CWE-307"]
package ringfence.ssh.limits_loosened

import data.ringfence.lib

# Each limit with the default of sshd (servconf.c) and whether a value is looser.
_loose(ctx) := [l | some l in [_tries(ctx), _time(ctx), _starts(ctx)]; l.value != ""]

_tries(ctx) := {"name": "MaxAuthTries", "value": lib.sshd_value(ctx, "maxauthtries"), "default": "6"} if {
	to_number(lib.sshd_value(ctx, "maxauthtries")) > 6
} else := {"value": ""}

_time(ctx) := {"name": "LoginGraceTime", "value": lib.sshd_value(ctx, "logingracetime"), "default": "120"} if {
	_unlimited(lib.sshd_value(ctx, "logingracetime"))
} else := {"value": ""}

# Seconds, or a number with a unit as files can have it (sshd_config(5), TIME FORMATS).
# A time is numbers with units, one after another; a number without one is seconds (sshd_config(5), TIME FORMATS). None is for ever.
_unlimited(v) if _seconds(v) == 0

_unlimited(v) if _seconds(v) > 120

_seconds(v) := sum([n |
	some part in regex.find_all_string_submatch_n(`([0-9]+)([smhdw]?)`, v, -1)
	n := to_number(part[1]) * _unit[part[2]]
])

_unit := {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}

_starts(ctx) := {"name": "MaxStartups", "value": lib.sshd_value(ctx, "maxstartups"), "default": "10:30:100"} if {
	parts := split(lib.sshd_value(ctx, "maxstartups"), ":")
	to_number(parts[count(parts) - 1]) > 100
} else := {"value": ""}

finding contains {
	"resource": {"kind": "sshd", "key": lib.place(ctx), "path": ctx.config},
	"message": sprintf("SSH lets strangers try longer or more often than by default (%s): %s", [
		lib.whom(ctx), concat(", ", [sprintf("%s %s", [l.name, l.value]) | some l in loose]),
	]),
	"evidence": [sprintf("%s (%s): %s %s, by default %s", [ctx.config, ctx.source, l.name, l.value, l.default]) | some l in loose],
	"remediation": lib.sshd(ctx, [{"name": l.name, "value": l.default} | some l in loose]),
} if {
	some ctx in input.ssh.contexts
	loose := _loose(ctx)
	count(loose) > 0
	not lib.sshd_repeats(ctx, [all | some all in input.ssh.contexts; count(_loose(all)) > 0])
}

unknown := ((lib.sshd_unread(input.ssh.servers) | lib.sshd_unsaid(input.ssh.contexts, "maxauthtries")) | lib.sshd_unsaid(input.ssh.contexts, "logingracetime")) | lib.sshd_unsaid(input.ssh.contexts, "maxstartups")

not_applicable := "no SSH server runs" if count(input.ssh.servers) == 0
