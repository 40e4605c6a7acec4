package threatmodel

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// slug makes a text of small letters, digits and dashes, as short as a name can be.
func slug(s string) string {
	const most = 60
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case b.Len() == most:
			return strings.Trim(b.String(), "-")
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String(), "-")
}

// symbolic is the name of something in other formats: it depends on its stable key alone, so that what is added to a host renames nothing. What the
// model itself adds has its own key; the rest has a hash of the whole key behind it, since other keys can have the same letters.
func symbolic(key string) string {
	if kind, of, ok := strings.Cut(key, " "); ok {
		_, goal := goalLabels[of]
		if kind == "goal" && goal || (kind == "actor" || kind == "network") && slices.Contains(order, of) {
			return kind + "-" + of
		}
	}
	sum := sha256.Sum256([]byte(key))
	return strings.TrimPrefix(slug(key)+"-"+hex.EncodeToString(sum[:4]), "-")
}
