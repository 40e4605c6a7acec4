// Package docs is what is published beside the texts and the program prints too: the schema of the document that policies see, with what is said of
// each field, which nothing but the source has otherwise.
package docs

import _ "embed"

// Document is that schema.
//
//go:embed document.schema.json
var Document []byte
