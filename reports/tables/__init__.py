"""What a report says in tables and sentences, as data: a module for each subject."""
