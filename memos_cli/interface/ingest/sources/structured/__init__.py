"""Sources for programs: JSON, CSV, notebooks, e-mail, office documents."""
