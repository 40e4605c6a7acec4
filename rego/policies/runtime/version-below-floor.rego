# METADATA
# title: A version of container runtimes has a known hole
# description: >-
#   An installed package is older than the version in which a hole was mended that others use. Who
#   controls a container, or has one made of an image, gets to the host. The holes, the versions of
#   each branch, those of distributions and where it is told are a dated data file
#   (rego/data/floors.json). A distribution that keeps the number of a version and mends its holes
#   is judged by the version of its package where the file has that, else it is unknown.
# custom:
#   severity: high
#   reads: [system.packages]
#   remediation: >-
#     Install the version that is named or a later one, and restart what runs the old one.
#   references:
#     nist: ["SI-2"]
#     attack: ["T1611"]
#     cwe: ["CWE-1395"]
#     cve: ["CVE-2024-21626", "CVE-2025-31133", "CVE-2026-53488"]
package ringfence.runtime.version_below_floor

finding contains {
	"resource": {"kind": "package", "key": sprintf("%s %s", [f["package"], f.id])},
	"message": sprintf("%s %s has a known hole: %s (%s)", [f.component, f.version, f.what, f.id]),
	"evidence": [sprintf("%s %s is installed, mended from %s on (%s)", [f["package"], f.version, f.fixed, f.source])],
	"remediation": [{"kind": "words", "text": sprintf("install %s in version %s or later, and restart what runs the old one", [f["package"], f.fixed])}],
} if {
	some f in input.floors
	f.area == "runtime"
	f.state == "below"
}

unknown contains {
	"resource": {"kind": "package", "key": sprintf("%s %s", [f["package"], f.id])},
	"reason": sprintf("%s is a version of a distribution, which may have mended %s and kept the number: see its security tracker", [f.version, f.id]),
} if {
	some f in input.floors
	f.area == "runtime"
	f.state == "unknown"
}

not_applicable := "no package is installed that has a floor" if {
	count([f | some f in input.floors; f.area == "runtime"]) == 0
# title: A runtime has a flaw that leads to the host
#   The version of runc, containerd, Docker, Podman or the NVIDIA toolkit is older than the one that
#   repairs a way out of containers. The list is a dated data file and no scan for all flaws.
#   Distributions repair old versions: there the changelog decides, and where that does not name
#   the flaw it is unknown.
#   reads: [runtimes]
#     Update the package, and restart the containers where its advisory says so.
#     cis: ["Docker v1.6.0 1.2.2"]
#     nist: ["SI-2", "RA-5"]
#     attack: ["T1611", "T1068"]
	"resource": {"kind": "service", "key": sprintf("%s %s", [c.package, c.ids[0]])},
	"message": sprintf("%s %s: %s", [c.package, c.version, c.why]),
	"evidence": [sprintf("%s; repaired in %s (list of %s)", [concat(", ", c.ids), concat(", ", c.fixed), input.components.date])],
	"remediation": [{"kind": "command", "text": sprintf("update %s to %s or later", [c.package, c.fixed[count(c.fixed) - 1]])}],
	some c in input.components.list
	c.state == "below"
	_meant(c)
_meant(c) if c.needs == ""
_meant(c) if {
	c.needs == "authorization-plugins"
	some d in input.dockerDaemons.list
	count(object.get(d, "plugins", [])) > 0
	"resource": {"kind": "service", "key": sprintf("%s %s", [c.package, c.ids[0]])},
	"reason": sprintf("whether %s %s is repaired is not known: %s", [c.package, c.version, c.reason]),
	some c in input.components.list
	c.state == "unknown"
	_meant(c)
unknown contains {"resource": {"kind": "service", "key": "packages of runtimes"}, "reason": input.components.unread} if {
	input.components.unread != ""
	_runs
_runs if count(input.containers) > 0
_runs if count(input.dockerDaemons.list) > 0
not_applicable := "no runtime was found" if {
	count(input.components.list) == 0
	not _runs
}
