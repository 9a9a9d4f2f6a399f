"""The optional language model: an `Advisor` over pydantic-ai. Nothing else of AWF needs it."""
