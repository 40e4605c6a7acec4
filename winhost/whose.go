package winhost

import (
	"cmp"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// kernelPID is the process of the kernel: what http.sys and SMB listen on is its own.
const kernelPID = 4

// whose names the programs and services behind sockets, as far as they are known.
func (s *Source) whose(list []snapshot.WindowsListener, w *snapshot.Windows) {
	programs := map[int]object{}
	all, _ := s.Shell.of(shellProcess)
	for _, o := range all {
		programs[o.number("processid", "id")] = o
	}
	in := map[int][]string{} // services by process
	for i := range w.Services.List {
		if sv := &w.Services.List[i]; sv.PID != 0 {
			in[sv.PID] = append(in[sv.PID], sv.Name)
			if programs[sv.PID] == nil { // where processes were not told, who starts it knows its program
				if file := imageFile(sv.Image, cmp.Or(s.text(version, "SystemRoot"), `C:\Windows`)); file != "" && (!strings.Contains(file, " ") || strings.HasPrefix(sv.Image, `"`)) {
					programs[sv.PID] = object{"name": file[strings.LastIndexByte(file, '\\')+1:], "path": file}
				}
			}
		}
	}
	for i := range list {
		l := &list[i]
		l.Services = append(l.Services, in[l.PID]...)
		if len(l.Services) == 1 && l.Service == "" {
			l.Service = l.Services[0]
		}
		if o := programs[l.PID]; o != nil {
			l.Process, l.Path = cmp.Or(l.Process, o.text("name", "processname")), cmp.Or(l.Path, o.text("executablepath", "path"))
		}
		switch {
		case l.PID == kernelPID:
			l.Process, l.OwnerState = "System", snapshot.OwnersKernel
		case l.Process != "" || l.Path != "":
			l.OwnerState = snapshot.OwnersSeen
		}
	}
}
