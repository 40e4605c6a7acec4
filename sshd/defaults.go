package sshd

import (
	"maps"
	"slices"
)

// defaults are sshd's compiled-in values of the settings that the checks read
// (servconf.c, fill_default_server_options); they hold where no file sets them.
var defaults = map[string]string{
	"permitrootlogin": "prohibit-password", "passwordauthentication": "yes",
	"kbdinteractiveauthentication": "yes", "permitemptypasswords": "no",
	"pubkeyauthentication": "yes", "usepam": "no",
	"hostbasedauthentication": "no", "ignorerhosts": "yes", "strictmodes": "yes", "permituserenvironment": "no", "gatewayports": "no",
	"permittunnel": "no", "maxauthtries": "6", "logingracetime": "120", "maxstartups": "10:30:100", "disableforwarding": "no",
	"allowtcpforwarding": "yes",
}

// Defaults are the settings of a server whose configuration says nothing.
func Defaults() map[string][]string {
	m := map[string][]string{}
	for k, v := range defaults {
		m[k] = []string{v}
	}
	return m
}

// Judged says of a setting that checks read it.
func Judged(key string) bool { return defaults[key] != "" }

// Bounds of the settings of one context: sshd has about a hundred, and some are lists.
const (
	maxSettings     = 256
	maxSettingSize  = 4096
	maxSettingLists = 64
)

// Kept is the settings that are kept of a context: who writes a configuration can write any number.
func Kept(all map[string][]string) map[string][]string {
	keep := map[string][]string{}
	for _, k := range slices.Sorted(maps.Keys(all)) {
		v := all[k]
		if len(keep) == maxSettings || len(k) > 64 {
			continue
		}
		size := 0
		for _, x := range v {
			size += len(x)
		}
		if Judged(k) || size <= maxSettingSize && len(v) <= maxSettingLists {
			keep[k] = v
		}
	}
	return keep
}
