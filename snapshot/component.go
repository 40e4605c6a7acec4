package snapshot

// Component is a package of a runtime that is installed.
type Component struct {
	Name    string `json:"name"` // runc, containerd, docker, podman
	Package string `json:"package"`
	Version string `json:"version"` // of the package
	// Vendor says that the distribution builds it: then it keeps the number of an old release and has later repairs. Fixes are the
	// CVE numbers that its changelog names, Changelog whether that was read.
	Vendor    bool     `json:"vendor"`
	Fixes     []string `json:"fixes,omitempty"`
	Changelog Fact     `json:"changelog"`
}
