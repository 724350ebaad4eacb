//! Whose a picture is. Each picture names the edition that held when it was drawn, and keeps it.

/// One edition of the statement. What was said once is never changed: a new one is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    pub edition: &'static str,
    pub statement: &'static str,
}

pub const EDITIONS: &[Rights] = &[Rights {
    edition: "1",
    statement: "This picture belongs to the person for whom it was drawn, as far as the law lets a \
                picture be owned that a program drew. They may use it for whatever they want. The house \
                stores it in order to show it to them, has no other right in it, and shows it to nobody \
                else. That ends when they delete it.",
}];

pub const CURRENT: Rights = EDITIONS[EDITIONS.len() - 1];

impl Rights {
    #[must_use]
    pub fn of(edition: &str) -> Option<Self> {
        let mut editions = EDITIONS.iter();
        editions.find(|one| one.edition == edition).copied()
    }

    /// As a note for the picture's file (XMP, ISO 16684-1). It names nobody.
    pub(super) fn packet(self) -> String {
        let statement = self
            .statement
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        format!(
            "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\
             <x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\
             <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
             <rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" \
             xmlns:xmpRights=\"http://ns.adobe.com/xap/1.0/rights/\">\
             <xmpRights:Marked>True</xmpRights:Marked>\
             <dc:rights><rdf:Alt><rdf:li xml:lang=\"x-default\">{statement}</rdf:li></rdf:Alt></dc:rights>\
             </rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end=\"r\"?>"
        )
    }
}
