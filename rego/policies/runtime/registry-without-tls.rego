# METADATA
# title: Images come from a registry without TLS
# description: >-
#   A runtime asks a registry by plain HTTP, or does not look at its certificate. Who is on the way
#   there chooses what runs here: an image is a program of root's choosing.
# custom:
#   severity: medium
#   reads: [runtimes]
#   params:
#     registries: {type: strings, default: [], description: "Registries that are meant to be without TLS: registry.example:5000."}
#   remediation: >-
#     Give the registry a certificate, put its authority into certs.d, and remove the exception.
#   references:
#     cis: ["Docker v1.6.0 2.5"]
#     nist: ["SC-8(1)", "SI-7"]
#     attack: ["T1557", "T1525"]
#     cwe: ["CWE-319", "CWE-295"]
package ringfence.runtime.registry_without_tls

finding contains {
	"resource": {"kind": "service", "key": sprintf("registry %s of %s", [r.host, r.runtime])},
	"message": sprintf("%s takes images from %s without TLS, or whatever certificate it shows", [r.runtime, r.host]),
	"evidence": [sprintf("%s", [r.file])],
	"remediation": [{"kind": "config", "text": sprintf("take the exception for %s out of %s, and give the registry a certificate", [r.host, r.file])}],
} if {
	some r in input.insecureRegistries.list
	not r.host in object.get(data.params, "registries", [])
}

unknown contains {"resource": {"kind": "service", "key": "registries"}, "reason": input.insecureRegistries.unread} if input.insecureRegistries.unread != ""

unknown contains {"resource": {"kind": "service", "key": "registries of Docker"}, "reason": sprintf("the settings of dockerd are not known: %s", [d.read.reason])} if {
	some d in input.dockerDaemons.list
	d.read.state != "present"
}
