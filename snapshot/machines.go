package snapshot

// Machine is a virtual machine of the host, as the files of its hypervisor describe it: nothing is asked of the machine itself.
type Machine struct {
	// as its hypervisor knows it; its number of Proxmox where it has none, and in parentheses where several have one name
	Name    string `json:"name"`
	Runtime string `json:"runtime"` // libvirt, proxmox
	// OS is windows, linux or a distribution where the description says so: the id of libosinfo, or the type of Proxmox.
	OS string `json:"os,omitempty"`
	// libvirt describes it below /run; false of Proxmox, whose files do not tell
	Running bool         `json:"running,omitempty"`
	NICs    []MachineNIC `json:"nics,omitempty"` // in the order of the description, at most 64
	Word    Word         `json:"word,omitzero"`  // who can write the description
}

// MachineNIC is a network card of a machine.
type MachineNIC struct {
	MAC string `json:"mac"` // lower case, with colons
	// Bridge and Tap are interfaces of the host: the bridge that it is at, and its end on the host.
	Bridge string `json:"bridge,omitempty"`
	// its interface on the host (target dev of libvirt); empty where none is told
	Tap string `json:"tap,omitempty"`
	// Addrs are the addresses that libvirt's DHCP server has given to it.
	Addrs []string `json:"addrs,omitempty"`
}
