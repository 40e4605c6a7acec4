package snapshot

// WindowsFirewall is the rules and profiles of Windows Defender Firewall as the registry has them, by store.
type WindowsFirewall struct {
	Read   Fact            `json:"read"`
	Stores []FirewallStore `json:"stores"`
}

// FirewallStore is one store of rules and settings. Which settings of which store count is not decided here (MS-FASP 2.2.38).
type FirewallStore struct {
	Store FirewallStoreName `json:"store"`
	// Read is absent where the host has no such store.
	Read     Fact              `json:"read"`
	Key      string            `json:"key,omitempty"` // of the registry, or the file
	Profiles []FirewallProfile `json:"profiles,omitempty"`
	Rules    []FirewallRule    `json:"rules,omitempty"`
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
	Profile                    WindowsProfile `json:"profile"`
	EnableFirewall             *uint32        `json:"enableFirewall,omitempty"`
	DefaultInboundAction       *uint32        `json:"defaultInboundAction,omitempty"`  // 0 allows, 1 blocks
	DefaultOutboundAction      *uint32        `json:"defaultOutboundAction,omitempty"` // 0 allows, 1 blocks
	DoNotAllowExceptions       *uint32        `json:"doNotAllowExceptions,omitempty"`
	AllowLocalPolicyMerge      *uint32        `json:"allowLocalPolicyMerge,omitempty"`
	AllowLocalIPsecPolicyMerge *uint32        `json:"allowLocalIPsecPolicyMerge,omitempty"`
	DisableNotifications       *uint32        `json:"disableNotifications,omitempty"`
	DisableStealthMode         *uint32        `json:"disableStealthMode,omitempty"`
	DisableUnicastResponses    *uint32        `json:"disableUnicastResponsesToMulticastBroadcast,omitempty"`
	// AuthApps and GlobalPorts are AllowUserPrefMerge of AuthorizedApplications and of GloballyOpenPorts.
	AuthApps    *uint32 `json:"authAppsAllowUserPrefMerge,omitempty"`
	GlobalPorts *uint32 `json:"globalPortsAllowUserPrefMerge,omitempty"`
	// DisabledInterfaces are those, by GUID in braces, that the firewall does not filter in the profile. It is not set where the list is nil.
	DisabledInterfaces []string `json:"disabledInterfaces"`
	LogDropped         *uint32  `json:"logDroppedPackets,omitempty"`
	LogSuccessful      *uint32  `json:"logSuccessfulConnections,omitempty"`
	// Unread are values of the profile that have another type than they should: what they are set to is not known.
	Unread []string `json:"unread,omitempty"`
}

// FirewallRule is a rule as the registry has it: Text is of the grammar of MS-GPFAS 2.2.2.19, "v2.31|Action=Allow|Active=TRUE|...|".
type FirewallRule struct {
	ID   string `json:"id"` // the name of the value
	Text string `json:"text"`
}

// WindowsFilters is what the Windows Filtering Platform holds: what decides, whatever the registry says.
type WindowsFilters struct {
	Read      Fact          `json:"read"`
	Providers []WFPProvider `json:"providers,omitempty"`
	Sublayers []WFPSublayer `json:"sublayers,omitempty"`
	Layers    []WFPLayer    `json:"layers,omitempty"`
	Callouts  []WFPCallout  `json:"callouts,omitempty"`
	Filters   []WFPFilter   `json:"filters,omitempty"`
	// Skipped counts filters of layers that decide nothing of what comes in, which are not kept; by layer.
	Skipped map[string]int `json:"skipped,omitempty"`
}

// WFPProvider is a program that adds filters. Keys are names of constants (FWPM_PROVIDER_...), or GUID in braces and lower case.
type WFPProvider struct {
	Key     string `json:"key"`
	Name    string `json:"name,omitempty"`
	Service string `json:"service,omitempty"`
}

// WFPSublayer is a group of filters. Each one decides, the highest weight first.
type WFPSublayer struct {
	Key      string `json:"key"`
	Name     string `json:"name,omitempty"`
	Provider string `json:"provider,omitempty"`
	Weight   uint16 `json:"weight"`
}

// WFPLayer is a layer that was in the export; one without filters is listed too.
type WFPLayer struct {
	Key             string `json:"key"` // FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4
	ID              int    `json:"id"`
	DefaultSublayer string `json:"defaultSublayer,omitempty"`
}

// WFPCallout is a function of a driver that filters ask.
type WFPCallout struct {
	Key      string   `json:"key"`
	Name     string   `json:"name,omitempty"`
	Provider string   `json:"provider,omitempty"`
	Layer    string   `json:"layer,omitempty"`
	ID       uint32   `json:"id,omitempty"`
	Flags    []string `json:"flags,omitempty"` // FWPM_CALLOUT_FLAG_REGISTERED, ...
}

// WFPFilter is a filter (FWPM_FILTER0 of fwpmtypes.h).
type WFPFilter struct {
	ID          uint64 `json:"id"`
	Key         string `json:"key,omitempty"`
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
	Provider    string `json:"provider,omitempty"`
	// Rule is the id of the rule of the firewall that it was made from, where its provider's data says it.
	Rule     string   `json:"rule,omitempty"`
	Layer    string   `json:"layer"`
	Sublayer string   `json:"sublayer"`
	Flags    []string `json:"flags,omitempty"` // FWPM_FILTER_FLAG_CLEAR_ACTION_RIGHT, FWPM_FILTER_FLAG_DISABLED, ...
	// Weight is what its maker gave, WeightType its type: FWP_UINT8 is a class of weights, FWP_EMPTY leaves it to the engine.
	Weight     uint64 `json:"weight,omitempty"`
	WeightType string `json:"weightType,omitempty"`
	// EffectiveWeight orders the filters of a sublayer; of an export without it EffectiveUnread is true.
	EffectiveWeight uint64 `json:"effectiveWeight"`
	EffectiveUnread bool   `json:"effectiveUnread,omitempty"`
	// Action is FWP_ACTION_PERMIT, FWP_ACTION_BLOCK, FWP_ACTION_CALLOUT_TERMINATING, FWP_ACTION_CALLOUT_UNKNOWN, FWP_ACTION_CALLOUT_INSPECTION,
	// or another; Callout is the key of the function that a callout action asks.
	Action     string         `json:"action"`
	Callout    string         `json:"callout,omitempty"`
	Conditions []WFPCondition `json:"conditions,omitempty"`
}

// WFPCondition is a condition of a filter. Low and High are of numbers, First and Last of addresses, each equal where it is one value and
// not a range; an address with a mask is the range of its prefix. Text is all else.
type WFPCondition struct {
	Field string       `json:"field"` // FWPM_CONDITION_IP_LOCAL_PORT
	Match string       `json:"match"` // FWP_MATCH_EQUAL, FWP_MATCH_RANGE, FWP_MATCH_FLAGS_ALL_SET, ...
	Type  string       `json:"type"`  // FWP_UINT16; of a range that of its bounds
	Kind  WFPValueKind `json:"kind"`
	Low   uint64       `json:"low,omitempty"`
	High  uint64       `json:"high,omitempty"`
	First string       `json:"first,omitempty"`
	Last  string       `json:"last,omitempty"`
	Text  string       `json:"text,omitempty"`
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
	Read     Fact                   `json:"read"`
	Settings []HyperVFirewall       `json:"settings,omitempty"`
	Rules    []FirewallRule         `json:"rules,omitempty"`
	Creators []HyperVMachineCreator `json:"creators,omitempty"`
}

// HyperVMachineCreator is who makes virtual machines, by an id: that of WSL is {40e0ac32-46a5-438a-a0b2-2b479e8f2e90}.
type HyperVMachineCreator struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// HyperVFirewall is the settings for the machines of one creator, of all profiles where Profile is empty. What is nil is not set.
type HyperVFirewall struct {
	Creator               string         `json:"creator"`
	Profile               WindowsProfile `json:"profile,omitempty"`
	EnableFirewall        *uint32        `json:"enableFirewall,omitempty"`
	EnableLoopback        *uint32        `json:"enableLoopback,omitempty"`
	AllowHostPolicyMerge  *uint32        `json:"allowHostPolicyMerge,omitempty"`
	DefaultInboundAction  *uint32        `json:"defaultInboundAction,omitempty"` // 0 allows, 1 blocks
	DefaultOutboundAction *uint32        `json:"defaultOutboundAction,omitempty"`
}
