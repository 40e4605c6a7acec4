package judge

import "github.com/ringfence/ringfence/snapshot"

// DocDaemons is the Docker daemons. Unread says why they were not all looked at.
type DocDaemons struct {
	List   []snapshot.DockerDaemon `json:"list"`   // those that run on the host, outside of containers
	Unread string                  `json:"unread"` // why not all were looked at, "" where they were
}

// DocRegistries is the registries that are asked without TLS.
type DocRegistries struct {
	List   []snapshot.InsecureRegistry `json:"list"`   // of all runtimes whose settings were read
	Unread string                      `json:"unread"` // why not all settings were looked at, "" where they were
}

func (b *builder) daemons() {
	sec := &b.snap.Runtimes
	b.doc.Daemons = DocDaemons{List: orEmpty(sec.Daemons), Unread: unread(sec.DaemonsRead)}
	b.doc.Registries = DocRegistries{List: orEmpty(sec.Registries), Unread: unread(sec.RegistriesRead)}
}
