//! Source map, spans, codes and the rendering of errors.
