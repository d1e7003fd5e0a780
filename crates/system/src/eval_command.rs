//! What `esker eval` makes of a configuration and how it prints it.

use lang::{Eval, Value};

use crate::evaluation::{attribute_path, evaluate, select_path};
use crate::language::Printing;
use crate::{Configuration, Session, Subject, SystemError};

/// A printed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// The text.
    pub text: Vec<u8>,
    /// Warnings and traces.
    pub messages: Vec<String>,
}

impl Session {
    /// Evaluates a configuration, selects an attribute of the module system's result and prints it.
    ///
    /// Errors when it cannot be read or evaluated.
    pub fn eval(
        &self,
        configuration: &Configuration,
        system: &str,
        attribute: &str,
        (printing, strict): (Printing, bool),
    ) -> Result<Printed, SystemError> {
        self.ensure_lock(configuration)?;
        let path = attribute_path(attribute);
        let subject = Subject::System { configuration: configuration.clone(), system: system.to_owned() };
        let (text, io) = evaluate(self, &subject, |eval, value| {
            let value = select_path(eval, value, &path)?;
            show(eval, value, printing, strict)
        })?;
        Ok(Printed { text, messages: io.take_messages() })
    }
}

fn show<'a>(eval: &Eval<'a>, value: Value<'a>, printing: Printing, strict: bool) -> Result<Vec<u8>, lang::Error> {
    match printing {
        Printing::Expression if strict => Ok(eval.show_bytes(eval.force_deep(value)?)),
        Printing::Expression => Ok(eval.show_bytes(value)),
        Printing::Raw => Ok(eval.force_str(value)?.as_bytes().to_vec()),
        Printing::Json => eval.json(value, true),
        Printing::Xml { places } => eval.xml(value, lang::XmlStyle { strict: true, places }),
    }
}
