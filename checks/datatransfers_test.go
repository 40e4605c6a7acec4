//go:build linux && !ringfence_portable

package checks

import (
	"strings"
	"testing"
)

// TestServersOfTransfersAsk: who is let in is what aria2 1.36, Transmission 3.00, Syncthing 1.19 and the registry 2.8 of Debian 12 did.
func TestServersOfTransfersAsk(t *testing.T) {
	const gui = "<configuration version=\"36\"><gui enabled=\"true\"><address>0.0.0.0:8384</address>%</gui></configuration>"
	for name, c := range map[string]struct {
		files map[string]string
		argv  string
		want  string
	}{
		"aria2":                           {nil, "aria2c --enable-rpc --rpc-listen-all", dataNone},
		"aria2, a secret":                 {nil, "aria2c --enable-rpc --rpc-listen-all --rpc-secret=*", dataAsks},
		"aria2, no interface":             {nil, "aria2c http://x/", dataAsks},
		"aria2, by its file":              {map[string]string{"a": "enable-rpc=true\nrpc-listen-all=true\n#rpc-secret=x\n"}, "aria2c --conf-path=/a", dataNone},
		"aria2, a secret of its file":     {map[string]string{"a": "enable-rpc=true\nrpc-secret=x\n"}, "aria2c --conf-path=/a", dataAsks},
		"aria2, off again":                {map[string]string{"a": "enable-rpc=true\n"}, "aria2c --conf-path=/a --enable-rpc=false", dataAsks},
		"aria2, no such file":             {nil, "aria2c --conf-path=/a --enable-rpc", ""},
		"transmission":                    {nil, "transmission-daemon -f -g /t", dataLocal},
		"transmission, everybody":         {nil, "transmission-daemon -f -g /t -T -a *.*", dataNone},
		"transmission, a network":         {nil, "transmission-daemon -fg /t -a 192.0.2.*", dataSome},
		"transmission, nobody":            {map[string]string{"t/settings.json": `{"rpc-whitelist": ""}`}, "transmission-daemon -f -g /t", dataAsks},
		"transmission, no list":           {map[string]string{"t/settings.json": `{"rpc-whitelist-enabled": false}`}, "transmission-daemon -f -g /t", dataNone},
		"transmission, a login":           {map[string]string{"t/settings.json": `{"rpc-authentication-required": 1, "rpc-whitelist-enabled": false}`}, "transmission-daemon -g /t", dataAsks},
		"transmission, no login after":    {map[string]string{"t/settings.json": `{"rpc-authentication-required": true, "rpc-whitelist": "*"}`}, "transmission-daemon -g /t --no-auth", dataNone},
		"transmission, not of the form":   {map[string]string{"t/settings.json": "{"}, "transmission-daemon -g /t", ""},
		"syncthing":                       {map[string]string{"s/config.xml": strings.Replace(gui, "%", "", 1)}, "syncthing -home /s", dataNone},
		"syncthing, a login":              {map[string]string{"s/config.xml": strings.Replace(gui, "%", "<user>a</user><password>$2a</password>", 1)}, "syncthing --home=/s", dataAsks},
		"syncthing, its usual place":      {map[string]string{".config/syncthing/config.xml": strings.Replace(gui, "%", "", 1)}, "syncthing serve", dataNone},
		"syncthing, no file":              {nil, "syncthing -home /s", ""},
		"registry":                        {map[string]string{"r.yml": "http: {addr: \":5000\"}\n"}, "registry serve /r.yml", dataNone},
		"registry, a login":               {map[string]string{"r.yml": "http: {addr: \":5000\"}\nauth: {htpasswd: {realm: x, path: /p}}\n"}, "docker-registry serve /r.yml", dataAsks},
		"registry, a login for everybody": {map[string]string{"r.yml": "http: {addr: \":5000\"}\nauth: {silly: {realm: x, service: y}}\n"}, "registry serve /r.yml", dataNone},
		"registry, certificates":          {map[string]string{"r.yml": "http: {addr: \":5000\", tls: {clientcas: [/c]}}\n"}, "registry serve /r.yml", dataAsks},
		"registry, by variables":          {map[string]string{"r.yml": "http: {addr: \":5000\"}\n", "environ": "REGISTRY_AUTH=htpasswd\x00"}, "registry serve /r.yml", ""},
		"registry, no file":               {nil, "registry serve /r.yml", ""},
	} {
		m := settingsAt(t, c.files, strings.Fields(c.argv)...)
		if got := m["login"]; got.Value != c.want || (c.want == "") != (got.Reason != "") {
			t.Errorf("%s: %+v, want %q", name, got, c.want)
		}
	}
}
