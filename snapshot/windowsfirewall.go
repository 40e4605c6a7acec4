package snapshot

// WindowsFirewall is the rules and profiles of Windows Defender Firewall as the registry has them, by store.
type WindowsFirewall struct {
	Read Fact `json:"read"` // whether all stores could be read; else why the first of them could not
	// each of the six, in the order local, gpo, mdm, appiso, static, configurable
	Stores []FirewallStore `json:"stores"`
}

// FirewallStore is one store of rules and settings. Which settings of which store count is not decided here (MS-FASP 2.2.38).
type FirewallStore struct {
	Store FirewallStoreName `json:"store"` // local, gpo, mdm, appiso, static or configurable
	// Read is absent where the host has no such store.
	Read Fact   `json:"read"`
	Key  string `json:"key,omitempty"` // of the registry, or the file
	// a profile can be missing, or be there twice: as PrivateProfile and as StandardProfile
	Profiles []FirewallProfile `json:"profiles,omitempty"`
	// in the grammar of the registry, as is what PowerShell told and what lists of older policies let in
	Rules []FirewallRule `json:"rules,omitempty"`
	// Connections are rules of connection security (MS-GPFAS 2.2.6.2), which may demand IPsec of what comes in.
	Connections []FirewallRule `json:"connections,omitempty"`
	// Unread are values below the key that are no rule or setting of the type that they should have.
	Unread []string `json:"unread,omitempty"`
}

// FirewallStoreName names a store.
type FirewallStoreName string

// The stores.
const (
	// StoreLocal is SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy.
	StoreLocal FirewallStoreName = "local"
	// StoreGPO is SOFTWARE\Policies\Microsoft\WindowsFirewall.
	StoreGPO FirewallStoreName = "gpo"
	// StoreMDM is FirewallPolicy\Mdm: rules of a management service, which count as policy.
	StoreMDM FirewallStoreName = "mdm"
	// StoreAppIso, StoreStatic and StoreConfigurable are FirewallPolicy\RestrictedServices: of app containers, and the hardening of services.
	StoreAppIso       FirewallStoreName = "appiso"
	StoreStatic       FirewallStoreName = "static"
	StoreConfigurable FirewallStoreName = "configurable"
)

// FirewallStores are the stores in their order.
var FirewallStores = []FirewallStoreName{StoreLocal, StoreGPO, StoreMDM, StoreAppIso, StoreStatic, StoreConfigurable}

// FirewallProfile is the settings of one profile in one store. What is nil is not set there. Numbers are the REG_DWORD of that name.
type FirewallProfile struct {
	// domain, private or public
	Profile               WindowsProfile `json:"profile"`
	EnableFirewall        *uint32        `json:"enableFirewall,omitempty"`        // 0 off, 1 on
	DefaultInboundAction  *uint32        `json:"defaultInboundAction,omitempty"`  // 0 allows, 1 blocks
	DefaultOutboundAction *uint32        `json:"defaultOutboundAction,omitempty"` // 0 allows, 1 blocks
	// 1: rules allow nothing that comes in, in whichever store it is set
	DoNotAllowExceptions *uint32 `json:"doNotAllowExceptions,omitempty"`
	// 0 of a policy: rules of the local store do not count
	AllowLocalPolicyMerge *uint32 `json:"allowLocalPolicyMerge,omitempty"`
	// 0 of a policy: rules of connection security of the local store do not count
	AllowLocalIPsecPolicyMerge *uint32 `json:"allowLocalIPsecPolicyMerge,omitempty"`
	// 1: users are not told that a program was blocked
	DisableNotifications *uint32 `json:"disableNotifications,omitempty"`
	// 1: closed ports are answered, which shows that the host is there
	DisableStealthMode *uint32 `json:"disableStealthMode,omitempty"`
	// 1: unicast answers to multicast and broadcast are dropped
	DisableUnicastResponses *uint32 `json:"disableUnicastResponsesToMulticastBroadcast,omitempty"`
	// AuthApps and GlobalPorts are AllowUserPrefMerge of AuthorizedApplications and of GloballyOpenPorts.
	AuthApps *uint32 `json:"authAppsAllowUserPrefMerge,omitempty"`
	// 0: rules of the local store for ports may not count (AllowUserPrefMerge of GloballyOpenPorts)
	GlobalPorts *uint32 `json:"globalPortsAllowUserPrefMerge,omitempty"`
	// DisabledInterfaces are those, by GUID in braces, that the firewall does not filter in the profile. It is not set where the list is nil.
	DisabledInterfaces []string `json:"disabledInterfaces"`
	// 1: dropped packets are logged (key Logging)
	LogDropped *uint32 `json:"logDroppedPackets,omitempty"`
	// 1: connections that were let through are logged (key Logging)
	LogSuccessful *uint32 `json:"logSuccessfulConnections,omitempty"`
	// Unread are values of the profile that have another type than they should: what they are set to is not known.
	Unread []string `json:"unread,omitempty"`
}

// FirewallRule is a rule as the registry has it: Text is of the grammar of MS-GPFAS 2.2.2.19, "v2.31|Action=Allow|Active=TRUE|...|".
type FirewallRule struct {
	ID string `json:"id"` // the name of the value
	// its fields with bars between them; Untold= is a condition that is not known, OlderPolicy=TRUE a list of an older policy
	Text string `json:"text"`
}

// WindowsFilters is what the Windows Filtering Platform holds: what decides, whatever the registry says.
type WindowsFilters struct {
	// whether the state of the filter engine was read (netsh wfp show state); it is never asked live
	Read      Fact          `json:"read"`
	Providers []WFPProvider `json:"providers,omitempty"` // who adds filters
	Sublayers []WFPSublayer `json:"sublayers,omitempty"` // groups of filters; empty where the export has none
	Layers    []WFPLayer    `json:"layers,omitempty"`    // where filters are asked; empty where the export has none
	Callouts  []WFPCallout  `json:"callouts,omitempty"`  // functions of drivers that filters ask; empty where the export has none
	// of the layers where what comes in is decided, or looked at before; in the order of the export
	Filters []WFPFilter `json:"filters,omitempty"`
	// Skipped counts filters of layers that decide nothing of what comes in, which are not kept; by layer.
	Skipped map[string]int `json:"skipped,omitempty"`
}

// WFPProvider is a program that adds filters. Keys are names of constants (FWPM_PROVIDER_...), or GUID in braces and lower case.
type WFPProvider struct {
	Key     string `json:"key"`               // FWPM_PROVIDER_..., or GUID in braces and lower case
	Name    string `json:"name,omitempty"`    // as it shows itself (displayData)
	Service string `json:"service,omitempty"` // name of the Windows service of the provider; empty where it has none
}

// WFPSublayer is a group of filters. Each one decides, the highest weight first.
type WFPSublayer struct {
	Key      string `json:"key"`                // FWPM_SUBLAYER_..., or GUID in braces and lower case
	Name     string `json:"name,omitempty"`     // as it shows itself (displayData)
	Provider string `json:"provider,omitempty"` // key of the provider; empty where it has none
	Weight   uint16 `json:"weight"`             // the heavier sublayer is asked first
}

// WFPLayer is a layer that was in the export; one without filters is listed too.
type WFPLayer struct {
	Key             string `json:"key"`                       // FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4
	ID              int    `json:"id"`                        // layerId, its number in the engine
	DefaultSublayer string `json:"defaultSublayer,omitempty"` // key of the sublayer of filters that name none
}

// WFPCallout is a function of a driver that filters ask.
type WFPCallout struct {
	// FWPM_CALLOUT_..., or GUID in braces and lower case; callout of a filter names it
	Key      string   `json:"key"`
	Name     string   `json:"name,omitempty"`     // as it shows itself (displayData)
	Provider string   `json:"provider,omitempty"` // key of the provider; empty where it has none
	Layer    string   `json:"layer,omitempty"`    // key of the layer where it can be asked
	ID       uint32   `json:"id,omitempty"`       // calloutId, its number in the engine; 0 is not known
	Flags    []string `json:"flags,omitempty"`    // FWPM_CALLOUT_FLAG_REGISTERED, ...
}

// WFPFilter is a filter (FWPM_FILTER0 of fwpmtypes.h).
type WFPFilter struct {
	ID          uint64 `json:"id"`                    // filterId, its number in the engine
	Key         string `json:"key,omitempty"`         // GUID in braces and lower case, or the name of a constant
	Name        string `json:"name,omitempty"`        // as it shows itself (displayData): often the name of a rule
	Description string `json:"description,omitempty"` // as it shows itself (displayData)
	Provider    string `json:"provider,omitempty"`    // key of the provider; empty where it has none
	// Rule is the id of the rule of the firewall that it was made from, where its provider's data says it.
	Rule     string   `json:"rule,omitempty"`
	Layer    string   `json:"layer"`           // key of the layer: FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4, ...
	Sublayer string   `json:"sublayer"`        // key of the sublayer
	Flags    []string `json:"flags,omitempty"` // FWPM_FILTER_FLAG_CLEAR_ACTION_RIGHT, FWPM_FILTER_FLAG_DISABLED, ...
	// Weight is what its maker gave, WeightType its type: FWP_UINT8 is a class of weights, FWP_EMPTY leaves it to the engine.
	Weight uint64 `json:"weight,omitempty"`
	// of weight: FWP_UINT8 a class of weights, FWP_UINT64 the weight itself, FWP_EMPTY none, so that the engine chose one
	WeightType string `json:"weightType,omitempty"`
	// EffectiveWeight orders the filters of a sublayer; of an export without it EffectiveUnread is true.
	EffectiveWeight uint64 `json:"effectiveWeight"`
	// effectiveWeight is not known: the export has none, or one that is no number
	EffectiveUnread bool `json:"effectiveUnread,omitempty"`
	// Action is FWP_ACTION_PERMIT, FWP_ACTION_BLOCK, FWP_ACTION_CALLOUT_TERMINATING, FWP_ACTION_CALLOUT_UNKNOWN, FWP_ACTION_CALLOUT_INSPECTION,
	// or another; Callout is the key of the function that a callout action asks.
	Action  string `json:"action"`
	Callout string `json:"callout,omitempty"` // key of the callout; empty of another action
	// those of one field are alternatives, different fields must all hold; empty: the filter matches everything in its layer
	Conditions []WFPCondition `json:"conditions,omitempty"`
}

// WFPCondition is a condition of a filter. Low and High are of numbers, First and Last of addresses, each equal where it is one value and
// not a range; an address with a mask is the range of its prefix. Text is all else.
type WFPCondition struct {
	Field string `json:"field"` // FWPM_CONDITION_IP_LOCAL_PORT
	Match string `json:"match"` // FWP_MATCH_EQUAL, FWP_MATCH_RANGE, FWP_MATCH_FLAGS_ALL_SET, ...
	Type  string `json:"type"`  // FWP_UINT16; of a range that of its bounds
	// number: low and high hold the value; address: first and last; text, sddl, sid, bytes, other: text
	Kind WFPValueKind `json:"kind"`
	Low  uint64       `json:"low,omitempty"` // the least number; of kind number a missing one is 0
	// the greatest number, the same as low where it is no range; of kind number a missing one is 0
	High  uint64 `json:"high,omitempty"`
	First string `json:"first,omitempty"` // the first address of the range
	// the last address of the range; the same as first where it is one address
	Last string `json:"last,omitempty"`
	// of every other kind: a path or name, a descriptor in SDDL, a SID, hexadecimal digits, or what was not understood
	Text string `json:"text,omitempty"`
}

// WFPValueKind says which fields of a condition hold its value.
type WFPValueKind string

// The kinds of values.
const (
	WFPNumber  WFPValueKind = "number"  // Low, High
	WFPAddress WFPValueKind = "address" // First, Last
	WFPText    WFPValueKind = "text"    // Text: the path of a program, a name
	WFPSDDL    WFPValueKind = "sddl"    // Text: a security descriptor
	WFPSID     WFPValueKind = "sid"     // Text: S-1-...
	WFPBytes   WFPValueKind = "bytes"   // Text: hexadecimal
	WFPOther   WFPValueKind = "other"   // Text: what is not understood, as the export has it
)

var wfpValueKinds = []WFPValueKind{WFPNumber, WFPAddress, WFPText, WFPSDDL, WFPSID, WFPBytes, WFPOther}

// WindowsHyperV is the firewall for virtual machines and WSL in mirrored mode (Windows 11 22H2 and later).
type WindowsHyperV struct {
	// whether the settings were told (Get-NetFirewallHyperVVMSetting); absent before build 22621, which has no such firewall
	Read     Fact                   `json:"read"`
	Settings []HyperVFirewall       `json:"settings,omitempty"` // by creator of machines
	Rules    []FirewallRule         `json:"rules,omitempty"`    // of this firewall; empty where they were not told
	Creators []HyperVMachineCreator `json:"creators,omitempty"` // who makes machines; empty where they were not told
}

// HyperVMachineCreator is who makes virtual machines, by an id: that of WSL is {40e0ac32-46a5-438a-a0b2-2b479e8f2e90}.
type HyperVMachineCreator struct {
	ID   string `json:"id"`             // GUID in braces
	Name string `json:"name,omitempty"` // what the creator calls itself: WSL, ...
}

// HyperVFirewall is the settings for the machines of one creator, of all profiles where Profile is empty. What is nil is not set.
type HyperVFirewall struct {
	Creator        string         `json:"creator"`                  // id of the creator, lower case
	Profile        WindowsProfile `json:"profile,omitempty"`        // domain, private or public; empty: all
	EnableFirewall *uint32        `json:"enableFirewall,omitempty"` // 0 off, 1 on
	EnableLoopback *uint32        `json:"enableLoopback,omitempty"` // 1: loopback to and from the host and other machines is let through
	// 1: settings and rules of the host's firewall count for the machines too
	AllowHostPolicyMerge  *uint32 `json:"allowHostPolicyMerge,omitempty"`
	DefaultInboundAction  *uint32 `json:"defaultInboundAction,omitempty"`  // 0 allows, 1 blocks
	DefaultOutboundAction *uint32 `json:"defaultOutboundAction,omitempty"` // 0 allows, 1 blocks
}
