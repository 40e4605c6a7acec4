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
}
