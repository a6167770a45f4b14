"""What comes after a fit: each file answers one question from estimates, never from the public class."""
