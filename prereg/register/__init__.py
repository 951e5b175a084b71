"""A locked plan in the words of a registry's form: OSF Preregistration and AsPredicted."""
