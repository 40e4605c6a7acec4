package fleet

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/usage"
)

// Flags defines the flags that say which snapshots are judged, and what they have to be.
func (r *Run) Flags(c *cobra.Command) {
	c.Flags().StringArrayVar(&r.Files, "snapshot", nil, "judge this snapshot `file` instead of the live host (- is standard input); several, a directory "+
		"or a pattern in quotes for those of many hosts; .gz is unpacked (repeatable)")
	c.Flags().StringVar(&r.Expect, "expect-hosts", "", "`file` of the hosts that there has to be a snapshot of, one a line and behind it other names of it: one that is missing is unknown")
	c.Flags().StringArrayVar(&r.Trust.KnownHosts, "known-hosts", nil, "`file` of the keys of hosts (known_hosts), also of authorities: FILE.sig beside a snapshot has to be "+
		"of the host's key (repeatable)")
	c.Flags().StringArrayVar(&r.Trust.AllowedSigners, "allowed-signers", nil, "`file` of keys in the form of allowed_signers (repeatable)")
	usage.Length(c, &r.Trust.MaxAge, "max-age", "refuse snapshots that were collected longer ago")
	c.Flags().StringVar(&r.Trust.Nonce, "nonce", "", "refuse snapshots that were not collected with this `text`")
}

// errAlone is of flags that are about one host.
var errAlone = errors.New("--fix, --baseline and --import are about one host: they do not go with several snapshots, --expect-hosts, --known-hosts, " +
	"--allowed-signers, --max-age and --nonce")

// errNone is of flags that say what a snapshot has to be, without one.
var errNone = errors.New("--known-hosts, --allowed-signers, --max-age and --nonce are about snapshots: want --snapshot")

// Several says whether standard input has more than one snapshot. What was read of it is read again.
func (r *Run) Several() bool {
	if len(r.Files) != 1 || r.Files[0] != "-" {
		return false
	}
	var read bytes.Buffer
	rest := r.Stdin
	tee := bufio.NewReader(io.TeeReader(rest, &read))
	defer func() { r.Stdin = io.MultiReader(&read, rest) }()
	in := tee
	if head, err := tee.Peek(3); err == nil && snapshot.Packed(head) {
		z, err := gzip.NewReader(tee)
		if err != nil {
			return false
		}
		in = bufio.NewReader(z)
	}
	if _, err := next(in); err != nil {
		return false
	}
	for {
		b, err := in.ReadByte()
		if err != nil || !bytes.ContainsAny([]byte{b}, " \t\r\n") {
			return err == nil && b == '{'
		}
	}
}
