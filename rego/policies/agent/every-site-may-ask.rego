# METADATA
# title: Pages of every site may use an agent or model runtime
# description: >-
#   A browser lets a page ask another server only if that allows the page's site. This one allows
#   every site: a page that somebody on this host, or on a machine that reaches it, has open can
#   use its interface and read the answers, loopback or not.
# custom:
#   severity: medium
#   reads: [agents, processes.power]
#   remediation: >-
#     Name the sites: OLLAMA_ORIGINS, gateway.controlUi.allowedOrigins, CORS_ALLOW_ORIGIN,
#     allow_origin.
#   references:
#     nist: ["SC-7", "AC-4"]
#     attack: ["T1189"]
#     cwe: ["CWE-942", "CWE-346"]
package ringfence.agent.every_site_may_ask

finding contains {
	"resource": {"kind": "agent", "key": a.key},
	"message": sprintf("pages of every site may use %s by the browser of whoever has them open%s", [a.title, _auth(a)]),
	"severity": _severity(a),
	"evidence": [sprintf("%s (%s) allows every origin", [a.title, a.evidence])],
	"remediation": [{"kind": "config", "text": "name the sites whose pages may use it instead of *"}],
} if {
	some a in input.agentPrograms
	a.origins == "any"
}

_auth(a) := ", without a key" if {
	a.auth == "none"
} else := ""

# With a key of its own a page has to know that first.
_severity(a) := "medium" if {
	a.auth == "none"
} else := "low"

unknown contains {"resource": {"kind": "agent", "key": a.key}, "reason": a.originsWhy} if {
	some a in input.agentPrograms
	a.origins == "unknown"
}

not_applicable := "no agent runs" if count(input.agentPrograms) == 0
