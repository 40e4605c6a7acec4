//go:build !unix

package host

import "io/fs"

// OwnersKnown says whether this system tells who can have written a file. Where it does not, Trusted lets every file
// pass, and whoever calls it has to say so.
const OwnersKnown = false

const openFlags = 0

func ownerOf(fs.FileInfo) (uid, gid int, known bool) { return 0, 0, false }
