package reports

import (
	"io"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/threatmodel"
)

func writeSVG(w io.Writer, list []*finding.Report, _ Options) error {
	return threatmodel.New(list[0]).Draw().SVG(w, nil)
}

func writeMermaid(w io.Writer, list []*finding.Report, _ Options) error {
	return threatmodel.New(list[0]).Draw().Mermaid(w)
}

func writeDOT(w io.Writer, list []*finding.Report, _ Options) error {
	return threatmodel.New(list[0]).Draw().DOT(w)
}

func writeTMBOM(w io.Writer, list []*finding.Report, _ Options) error {
	return threatmodel.New(list[0]).TMBOM(w)
}

func writeOTM(w io.Writer, list []*finding.Report, _ Options) error {
	return threatmodel.New(list[0]).OTM(w)
}
