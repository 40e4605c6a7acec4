package judge

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/words"
)

// sshdKeywords are the settings of sshd in lower case, as ssh.contexts[].values has them: those of sshd_config(5) of OpenSSH 10.2, of Debian's and
// Red Hat's patches, and of releases since 6.0. A release can have others, which none of these is meant by.
var sshdKeywords = strings.Fields(`
	acceptenv addressfamily allowagentforwarding allowgroups allowstreamlocalforwarding allowtcpforwarding allowusers authenticationmethods
	authorizedkeyscommand authorizedkeyscommanduser authorizedkeysfile authorizedprincipalscommand authorizedprincipalscommanduser
	authorizedprincipalsfile banner casignaturealgorithms challengeresponseauthentication channeltimeout chrootdirectory ciphers
	clientalivecountmax clientaliveinterval compression debianbanner denygroups denyusers disableforwarding exposeauthinfo fingerprinthash
	forcecommand gatewayports gssapiauthentication gssapicleanupcredentials gssapienablek5users gssapikexalgorithms gssapikeyexchange
	gssapistorecredentialsonrekey gssapistrictacceptorcheck hostbasedacceptedalgorithms hostbasedacceptedkeytypes hostbasedauthentication
	hostbasedusesnamefrompacketonly hostcertificate hostkey hostkeyagent hostkeyalgorithms ignorerhosts ignoreuserknownhosts include ipqos
	kbdinteractiveauthentication kerberosauthentication kerberosgetafstoken kerberosorlocalpasswd kerberosticketcleanup kexalgorithms
	keyregenerationinterval listenaddress logingracetime loglevel logverbose macs maxauthtries maxsessions maxstartups modulifile
	passwordauthentication permitemptypasswords permitlisten permitopen permitrootlogin permittty permittunnel permituserenvironment permituserrc
	persourcemaxstartups persourcenetblocksize persourcepenalties persourcepenaltyexemptlist pidfile port printlastlog printmotd protocol
	pubkeyacceptedalgorithms pubkeyacceptedkeytypes pubkeyauthentication pubkeyauthoptions rdomain refuseconnection rekeylimit requiredrsasize
	revokedkeys rhostsrsaauthentication rsaauthentication securitykeyprovider serverkeybits setenv sshdauthpath sshdsessionpath
	streamlocalbindmask streamlocalbindunlink strictmodes subsystem syslogfacility tcpkeepalive trustedusercakeys unusedconnectiontimeout usedns
	uselogin usepam useprivilegeseparation version versionaddendum x11displayoffset x11forwarding x11uselocalhost xauthlocation`)

// namesSettings refuses a module that asks the settings of an SSH server, or of a program that manages, for a name that is nearly one of theirs.
// Which object one is of is not known here: another name can be that of another.
func (c *Check) namesSettings(m *ast.Module) error {
	for field, list := range map[string][]string{"values": sshdKeywords, "settings": slices.Concat(snapshot.ManagedSettings, snapshot.WinRMSettings, sshdKeywords)} {
		var wrong error
		w := keyWalk{
			key: func(ref ast.Ref) (list []*ast.Term) {
				for i := 1; i+1 < len(ref) && !ref[0].Equal(ast.DefaultRootDocument); i++ {
					if ref[i].Equal(ast.StringTerm(field)) {
						list = append(list, ref[i+1])
					}
				}
				return list
			},
			of: func(ref ast.Ref) bool { return ref[len(ref)-1].Equal(ast.StringTerm(field)) },
			note: func(t *ast.Term) {
				name, ok := t.Value.(ast.String)
				if low := strings.ToLower(string(name)); wrong == nil && ok && !slices.Contains(list, string(name)) && meant(low, list) {
					wrong = placed(t.Location, "check %s: setting %q: want %s", c.ID, string(name), nearest(low, list))
				}
			},
		}
		w.module(m)
		if wrong != nil {
			return wrong
		}
	}
	return nil
}

// meant says whether a name in lower case is one of a list, but for its letters or for a slip.
func meant(low string, list []string) bool { return nearest(low, list) != "" }

// nearest is the name of a list that one in lower case is, or is nearly.
func nearest(low string, list []string) string {
	for _, l := range list {
		if strings.ToLower(l) == low {
			return l
		}
	}
	if len(low) < 5 {
		return ""
	}
	return words.Nearest(low, slices.DeleteFunc(slices.Clone(list), func(l string) bool { return len(l) < len(low)-2 || len(l) > len(low)+2 }))
}
